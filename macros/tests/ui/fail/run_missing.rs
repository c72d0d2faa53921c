//! `run` is there.

use cloud_tasks::{Task, task};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Empty;

#[task]
impl Task for Empty {}

#[derive(Serialize, Deserialize)]
struct OtherFunction;

#[task]
impl Task for OtherFunction {
    type State = String;
}

fn main() {}
