//! The attribute goes on an impl block of a task.

use cloud_tasks::task;
use std::fmt::{Display, Formatter, Result};

#[task(queue = "emails")]
pub struct OnStruct;

#[task]
#[derive(Debug)]
pub(crate) enum OnEnum {}

#[task]
pub async fn on_function() {}

#[task]
pub trait OnTrait {}

#[task]
const ON_CONST: u8 = 1;

#[task]
mod on_module {}

#[task]
impl OnStruct {
    pub fn inherent() {}
}

#[task]
impl<'a> Inherent<'a, u8> {
    pub fn inherent() {}
}

pub struct Inherent<'a, T>(&'a T);

#[task]
impl Display for OnStruct {
    fn fmt(&self, _: &mut Formatter<'_>) -> Result {
        Ok(())
    }
}

/// What stays behind is usable.
pub fn uses() -> (OnStruct, u8) {
    OnStruct::inherent();
    let _ = on_function();
    (OnStruct, ON_CONST)
}

fn main() {}
