//! The command `tasks enqueue`.

use crate::base::BoxError;
use crate::base::text::safe;
use crate::cli::console::Console;
use crate::cli::operations_args::TasksEnqueueArgs;
use crate::runtime::Runtime;

pub(crate) async fn run(
    runtime: &Runtime,
    args: TasksEnqueueArgs,
    console: &mut Console,
) -> Result<u8, BoxError> {
    let mut enqueue = runtime.enqueue_json(&args.name, args.arguments.as_bytes())?;
    if let Some(delay) = args.delay {
        enqueue = enqueue.at(delay.into());
    }
    if let Some(queue) = args.queue {
        enqueue = enqueue.queue(queue);
    }
    if let Some(id) = args.id {
        enqueue = enqueue.task_id(id);
    }
    let enqueued = enqueue.await?;
    let done = if enqueued.duplicate() {
        "already enqueued"
    } else {
        "enqueued"
    };
    console.print(&format!(
        "{done} {} in queue {}",
        safe(enqueued.id()),
        safe(enqueued.queue())
    ))?;
    Ok(0)
}
