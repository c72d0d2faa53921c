//! The schedule of a task.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};

use super::call;
use crate::parse::{Payload, Schedule, TaskImpl};

/// `impl PeriodicTask`, where the task has a schedule.
pub(super) fn periodic(task: &TaskImpl) -> Option<TokenStream> {
    let schedule = task.schedule.as_ref()?;
    let (krate, ty, every) = (&task.krate, &task.block.self_ty, &schedule.every);
    let (generics, _, bounds) = task.block.generics.split_for_impl();
    let settings = schedule.settings.iter().map(|setting| call(task, setting));
    let payload = payload(task, schedule);
    Some(quote! {
        #[automatically_derived]
        #[allow(deprecated)]
        impl #generics #krate::PeriodicTask for #ty #bounds {
            const SCHEDULE: #krate::__private::ScheduleOptions =
                #krate::__private::ScheduleOptions::new(#every)
                #(#settings)*;

            fn payload() -> Self {
                #payload
            }
        }
    })
}

fn payload(task: &TaskImpl, schedule: &Schedule) -> TokenStream {
    let krate = &task.krate;
    match &schedule.payload {
        Payload::Given(payload) => quote!(#krate::__private::IntoPayload::<Self, _>::into_payload(#payload)),
        // A type without one is reported where the schedule is.
        Payload::Default => {
            quote_spanned!(schedule.key.span()=> <Self as #krate::__private::DefaultPayload>::default_payload())
        }
        Payload::Mistaken => quote!(::core::panic!()),
    }
}
