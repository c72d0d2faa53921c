use quote::quote;

use super::{expanded, messages};

#[test]
fn a_shared_task_is_registered_with_its_service() {
    let text = expanded(
        quote!(service = "billing", queue = "charges", unique),
        quote!(
            impl SharedTask for Charge {}
        ),
    );

    for part in [
        "impl SharedTask for Charge { }",
        "Registration :: shared_task :: < Charge > (\"Charge\" ,",
        ". service (\"billing\") . queue (\"charges\") . unique (",
        ". schema (:: cloud_tasks :: __private :: schema_of ! (Charge))",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn a_shared_task_without_a_service_is_refused() {
    assert_eq!(
        messages(
            quote!(queue = "charges"),
            quote!(
                impl SharedTask for Charge {}
            )
        ),
        ["name the service that runs the task: write `#[task(service = \"billing\")]`"]
    );
}

#[test]
fn a_handler_has_the_name_and_the_options_of_its_task() {
    let text = expanded(
        quote!(),
        quote! {
            impl TaskHandler for ChargeInvoices {
                async fn run(task: billing::Charge, cx: Context<Db>) -> TaskResult<u32> { todo() }
            }
        },
    );

    for part in [
        "type Task = billing :: Charge ; type State = Db ; type Output = u32 ;",
        "Registration :: handler :: < ChargeInvoices > (:: core :: concat !",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("schema_of"), "{text}");
}

#[test]
fn a_handler_takes_no_options_of_a_task() {
    let handler = quote! {
        impl TaskHandler for ChargeInvoices {
            async fn run(task: Charge, cx: Context) -> TaskResult { todo() }
        }
    };

    assert_eq!(
        messages(quote!(name = "Charge"), handler.clone()),
        [
            "`name` is an option of `Task`, `SharedTask`, `PublisherTask`, `ModelPublisherTask` and `SubscriberTask`, not of \
             `TaskHandler`"
        ]
    );
    assert_eq!(
        messages(quote!(every = "5 * * * *"), handler),
        ["`every` is an option of `Task`, not of `TaskHandler`"]
    );
}

#[test]
fn the_parameters_of_a_handler_are_the_task_and_the_context() {
    let form = "write `async fn run(task: Charge, cx: Context<State>) -> TaskResult<Output>`";
    for (run, message) in [
        (
            quote!(
                async fn run(self, cx: Context) -> TaskResult {
                    todo()
                }
            ),
            "`run` of a handler takes no `self`, but the task that others enqueue: ",
        ),
        (
            quote!(
                async fn run(cx: Context) -> TaskResult {
                    todo()
                }
            ),
            "`run` of a handler takes the task and the context: ",
        ),
        (
            quote!(
                async fn run(task: Charge, cx: Context, more: u8) -> TaskResult {
                    todo()
                }
            ),
            "`run` takes nothing after the context; arguments are fields of the task: ",
        ),
    ] {
        let said = messages(
            quote!(),
            quote!(
                impl TaskHandler for ChargeInvoices { #run }
            ),
        );
        assert_eq!(said, [format!("{message}{form}")]);
    }
}

#[test]
fn a_shared_event_says_so_in_its_registration() {
    let text = expanded(
        quote!(shared, topic = "invoices", app = "billing"),
        quote!(
            impl PublisherTask for InvoicePaid {}
        ),
    );

    assert!(text.contains(". shared (true)"), "{text}");
}
