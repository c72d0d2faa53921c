//! Installing a runtime, which is for the whole process: nothing else in this program looks for one.

use cloud_tasks::{ErrorKind, Runtime};

#[tokio::test]
async fn a_second_install_is_an_error_and_the_first_one_stays_but_a_scope_wins() {
    let first = Runtime::eager().build().await.unwrap();
    let second = Runtime::recorded().build().await.unwrap().0;
    assert!(Runtime::current().is_err());

    first.install().unwrap();
    let error = second.clone().install().unwrap_err();

    assert_eq!(error.kind(), ErrorKind::AlreadyInstalled);
    assert!(tokio::spawn(async { Runtime::current().is_ok() }).await.unwrap());
    assert!(second.scope(async { Runtime::current().is_ok() }).await);
}
