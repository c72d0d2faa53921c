//! Expansion of a task's schedule.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};

use super::call;
use crate::parse::{Payload, Schedule, TaskImpl};

/// `impl PeriodicTask`, if the task has a schedule.
pub(super) fn periodic(task: &TaskImpl) -> Option<TokenStream> {
    let schedule = task.schedule.as_ref()?;
    let (crate_path, ty, every) = (&task.crate_path, &task.block.self_ty, &schedule.every);
    let (generics, _, bounds) = task.block.generics.split_for_impl();
    let settings = schedule.settings.iter().map(|setting| call(task, setting));
    let payload = payload(task, schedule);
    Some(quote! {
        #[automatically_derived]
        #[allow(deprecated)]
        impl #generics #crate_path::PeriodicTask for #ty #bounds {
            const __SCHEDULE: #crate_path::__private::ScheduleOptions =
                #crate_path::__private::ScheduleOptions::new(#every)
                #(#settings)*;

            fn payload() -> Self {
                #payload
            }
        }
    })
}

fn payload(task: &TaskImpl, schedule: &Schedule) -> TokenStream {
    let crate_path = &task.crate_path;
    match &schedule.payload {
        Payload::Options(payload) => {
            quote!(#crate_path::__private::IntoPayload::<Self, _>::into_payload(#payload))
        }
        // The span makes rustc report a type without `Default` at the schedule.
        Payload::Default => {
            quote_spanned!(schedule.key.span()=> <Self as #crate_path::__private::DefaultPayload>::default_payload())
        }
        Payload::Mistaken => quote!(::core::panic!()),
    }
}
