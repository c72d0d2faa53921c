//! The topic of an event or a subscriber.

use syn::{Expr, Type};

use super::fitness::{Registrability, default_topic, named_after};
use super::function::{Assoc, Function, Origin};
use super::given::Options;
use super::item::Block;
use super::kind::Kind;
use super::options::{ABSOLUTE_TOPIC, APP, APP_LABEL, Accepted, TOPIC};
use super::types::{last_segment, ungroup_type};
use super::{Errors, check};

/// The result of `fn topic`.
pub(crate) struct Topic {
    pub(crate) source: Source,
    /// The app that owns the topic, if it is not the current one.
    pub(crate) app: Option<Expr>,
}

#[allow(clippy::large_enum_variant, reason = "one per attribute")]
pub(crate) enum Source {
    /// A base name or a full path.
    Named(Expr),
    Absolute(Expr),
    /// The label of the model's application; the model is named after its type.
    Labelled {
        label: Expr,
        model: Expr,
    },
    /// From the model.
    OfModel,
    /// From the message's content.
    OfContent,
    /// Unknown, because the type could not be inferred.
    Unknown,
}

impl Topic {
    /// `None` if the trait has no topic, or if the user wrote it.
    pub(super) fn read(
        kind: Kind,
        block: &Block,
        fitness: Registrability,
        function: &Function,
        given: &mut Options,
        errors: &mut Errors,
    ) -> Option<Self> {
        if kind == Kind::Subscriber && block.function("topic").is_some() {
            let both = "and `fn topic` both name the topic: keep one of the two";
            refuse_beside_function(given, &TOPIC, both, errors);
            refuse_beside_function(given, &ABSOLUTE_TOPIC, both, errors);
            refuse_beside_function(
                given,
                &APP,
                "is a part of the topic's name, which `fn topic` gives: remove it",
                errors,
            );
            return None;
        }
        // Takes every option, also invalid ones: those that remain go to the registration.
        let base = given.take_text(&TOPIC).map(Source::Named);
        let absolute = given.take_text(&ABSOLUTE_TOPIC).map(Source::Absolute);
        let label = given.take_text(&APP_LABEL);
        let app = given.take_text(&APP);
        let source = match (base.or(absolute), kind) {
            (_, Kind::Task | Kind::SharedTask | Kind::Handler) => return None,
            (Some(named), _) => named,
            (None, Kind::Publisher) => Source::Named(default_topic(block, fitness, errors)),
            (None, Kind::ModelPublisher) => of_model(function.find("Model")?, label, given, errors),
            (None, Kind::Subscriber) => of_content(function.find("Content")?),
        };
        Some(Self { source, app })
    }
}

fn refuse_beside_function(given: &mut Options, option: &Accepted, why: &str, errors: &mut Errors) {
    if let Some(key) = given.key(option) {
        errors.push(syn::Error::new_spanned(key, format!("`{key}` {why}")));
    }
    let _: Option<Expr> = given.take_text(option);
}

fn of_model(model: &Assoc, label: Option<Expr>, given: &Options, errors: &mut Errors) -> Source {
    let Some(label) = label else {
        return if model.origin == Origin::Unread {
            Source::Unknown
        } else {
            Source::OfModel
        };
    };
    if model.origin == Origin::Unread {
        return Source::Unknown;
    }
    let segment = match ungroup_type(&model.ty) {
        Type::Path(_) => last_segment(&model.ty).filter(|segment| segment.arguments.is_none()),
        _ => None,
    };
    let Some(segment) = segment else {
        errors.push(syn::Error::new_spanned(
            &model.ty,
            "`app_label` names the topic after the model, and this type has no plain name: write `topic = \"..\"` instead",
        ));
        return Source::Unknown;
    };
    let name = segment.ident.to_string();
    if let Err(message) = check::model_name(&name) {
        errors.push(syn::Error::new_spanned(
            &segment.ident,
            format!("{message}; write `topic = \"..\"` instead of `app_label`"),
        ));
    } else if let Some(label) = given.text(&APP_LABEL)
        && label.len() + 1 + name.len() > 255
    {
        errors.push(syn::Error::new_spanned(
            given.key(&APP_LABEL),
            "the app label and the model's name make a topic of more than 255 characters",
        ));
    }
    Source::Labelled {
        label,
        model: named_after(&segment.ident),
    }
}

fn of_content(content: &Assoc) -> Source {
    match content.origin {
        Origin::Unread => Source::Unknown,
        Origin::Written | Origin::Read => Source::OfContent,
    }
}
