//! Many tasks: a hundred types, each under a hundred names.
//!
//! A request finds its task by the name in its path, so the names are what there may be too many of. Ten thousand
//! types would be searched the same way, and take minutes to compile; `README.md` has that figure too.

use cloud_tasks::__private::{Registration, Resolved, Resolver};
use cloud_tasks::task::Registered;
use cloud_tasks::{Context, Task, TaskResult};
use serde::{Deserialize, Serialize};

/// How many names there are at most.
pub(crate) const MANY: usize = 10_000;

/// One of a hundred types, told apart by two digits.
#[derive(Deserialize, Serialize)]
#[serde(transparent)]
struct Numbered<const A: u8, const B: u8>(u8);

impl<const A: u8, const B: u8> Numbered<A, B> {
    const DIGITS: [u8; 10] = [b'N', b'u', b'm', b'b', b'e', b'r', b'e', b'd', b'0' + A, b'0' + B];
    const NAME: &str = match std::str::from_utf8(&Self::DIGITS) {
        Ok(name) => name,
        Err(_) => "",
    };
}

// What `#[task]` writes, but for a name that the type's arguments are part of.
impl<const A: u8, const B: u8> Registered for Numbered<A, B> {
    const __REGISTRATION: Registration =
        Registration::task::<Self>(Self::NAME, concat!(file!(), ":", line!()));

    fn __state(states: &mut Resolver<'_>) -> Resolved {
        states.each::<()>()
    }
}

impl<const A: u8, const B: u8> Task for Numbered<A, B> {
    type State = ();
    type Output = u8;

    async fn run(self, _cx: Context) -> TaskResult<u8> {
        Ok(self.0)
    }
}

macro_rules! for_each_digit {
    ($function:ident($into:ident) $(, $known:ident)*) => {
        $function::<$($known,)* 0>($into);
        $function::<$($known,)* 1>($into);
        $function::<$($known,)* 2>($into);
        $function::<$($known,)* 3>($into);
        $function::<$($known,)* 4>($into);
        $function::<$($known,)* 5>($into);
        $function::<$($known,)* 6>($into);
        $function::<$($known,)* 7>($into);
        $function::<$($known,)* 8>($into);
        $function::<$($known,)* 9>($into);
    };
}

type Named = (&'static str, Registration);

fn all(types: &mut Vec<Named>) {
    for_each_digit!(ten(types));
}

fn ten<const A: u8>(types: &mut Vec<Named>) {
    for_each_digit!(one(types), A);
}

fn one<const A: u8, const B: u8>(types: &mut Vec<Named>) {
    types.push((Numbered::<A, B>::NAME, Numbered::<A, B>::__REGISTRATION));
}

/// Registrations that have this many names together.
pub(crate) fn registrations(names: usize) -> Vec<Registration> {
    let mut types = Vec::new();
    all(&mut types);
    let count = types.len();
    let few = types.into_iter().enumerate().take(names);
    few.map(|(index, (name, registration))| {
        // The types take turns until there are enough names.
        let numbers = (index..names).step_by(count).skip(1);
        let aliases: Vec<&str> = numbers
            .map(|number| &*format!("{name}-{number}").leak())
            .collect();
        registration.aliases(aliases.leak())
    })
    .collect()
}
