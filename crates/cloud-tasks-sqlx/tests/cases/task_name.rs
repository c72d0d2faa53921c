//! Names of tasks in a column.

use cloud_tasks::task;

use super::queries::{run, text};
use super::{Database, Db, PLACEHOLDER};
use crate::integration::TaskName;
use crate::sqlx::{Error, Executor, Row, query};
use crate::support::{Book, database};

async fn rules(database: &Database, tasks: &[&str]) {
    run(&database.pool, "CREATE TABLE rules (task VARCHAR(300))").await;
    for task in tasks {
        run(
            &database.pool,
            &format!("INSERT INTO rules (task) VALUES ({task})"),
        )
        .await;
    }
}

async fn read(database: &Database, column: &str) -> Result<Option<TaskName>, Error> {
    let statement = format!("SELECT {column} FROM rules");
    let mut connection = database.pool.acquire().await?;
    connection.fetch_one(crate::raw(&statement)).await?.try_get(0)
}

#[tokio::test]
async fn a_name_is_written_and_found_as_text() {
    let database = database!();
    rules(&database, &["'GreetUser'"]).await;
    let book = TaskName(task::TaskName::of::<Book>());

    let insert = format!("INSERT INTO rules (task) VALUES ({PLACEHOLDER})");
    query::<Db>(crate::raw(&insert))
        .bind(book)
        .execute(&database.pool)
        .await
        .unwrap();
    let find = format!("SELECT task FROM rules WHERE task = {PLACEHOLDER}");
    let found = query::<Db>(crate::raw(&find))
        .bind(book)
        .fetch_all(&database.pool)
        .await
        .unwrap();

    let names: Vec<TaskName> = found.iter().map(|row| row.get(0)).collect();
    assert_eq!(names, [book]);
    let texts: Vec<String> = found.iter().map(|row| row.get(0)).collect();
    assert_eq!(texts, ["Book"]);
}

#[tokio::test]
async fn no_name_is_null() {
    let database = database!();
    rules(&database, &[]).await;

    let insert = format!("INSERT INTO rules (task) VALUES ({PLACEHOLDER})");
    query::<Db>(crate::raw(&insert))
        .bind(None::<TaskName>)
        .execute(&database.pool)
        .await
        .unwrap();

    assert_eq!(
        text(&database.pool, "SELECT coalesce(task, 'null') FROM rules").await,
        "null"
    );
    assert_eq!(read(&database, "task").await.unwrap(), None);
}

#[tokio::test]
async fn an_alias_is_read_as_the_present_name() {
    let database = database!();
    rules(&database, &["'BookNumber'"]).await;

    let name = read(&database, "task").await.unwrap().unwrap();

    assert_eq!((name.as_str(), name.to_string().as_str()), ("Book", "Book"));
}

#[tokio::test]
async fn a_text_that_is_not_the_name_of_a_task_is_an_error_that_says_why() {
    for (stored, expected) in [
        (
            "'Bok'",
            "\"Bok\" is not the name of a task: no task is linked or registered under it",
        ),
        (
            "''",
            "\"\" is not the name of a task: no task is linked or registered under it",
        ),
        (
            "'book'",
            "\"book\" is not the name of a task: no task is linked or registered under it",
        ),
        (
            "'Billing'",
            "\"Billing\" is not the name of a task: it is a subscriber, which cannot be enqueued",
        ),
    ] {
        let database = database!();
        rules(&database, &[stored]).await;

        let error = read(&database, "task").await.unwrap_err();

        let Error::ColumnDecode { source, .. } = &error else {
            panic!("{stored}: {error:?}");
        };
        assert_eq!(source.to_string(), expected);
        assert!(error.to_string().ends_with(expected), "{error}");
    }
}

#[tokio::test]
async fn a_column_that_is_not_text_is_an_error() {
    let database = database!();
    rules(&database, &["'Book'"]).await;

    let error = read(&database, "7").await.unwrap_err();

    assert!(
        error.to_string().contains("is not compatible with SQL type"),
        "{error}"
    );
}
