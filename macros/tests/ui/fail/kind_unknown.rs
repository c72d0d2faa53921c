//! The traits that are registered are named, and the one that was probably meant.

use cloud_tasks::task;

trait SubscribeTask {}
trait Publisher {}
trait ModelTask {}
trait Job {}

struct A;

#[task]
impl SubscribeTask for A {}

#[task]
impl Publisher for A {}

#[task(queue = "not a queue")]
impl ModelTask for A {}

#[task]
impl crate::Job for A {}

fn main() {}
