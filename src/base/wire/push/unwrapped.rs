//! A push without a wrapper: the body is the data, and headers contain everything else, if anything.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{Push, time};
#[cfg(feature = "testing")]
use crate::base::time::rfc3339_millis;

const SUBSCRIPTION: &str = "x-goog-pubsub-subscription-name";
const MESSAGE_ID: &str = "x-goog-pubsub-message-id";
const PUBLISH_TIME: &str = "x-goog-pubsub-publish-time";
const ORDERING_KEY: &str = "x-goog-pubsub-ordering-key";
const DELIVERY_ATTEMPT: &str = "x-goog-pubsub-delivery-attempt";
/// The name that Google's emulator uses.
const EMULATOR_ORDERING_KEY: &str = "x-goog-ordering-key";

/// Whether a header tells which message it is, as one does if the subscription writes metadata.
pub(super) fn is_metadata(name: &str) -> bool {
    name == SUBSCRIPTION || name == MESSAGE_ID
}

impl Push {
    /// Parses the unwrapped form: the body is the data, and headers hold everything else.
    pub fn unwrapped(headers: &HeaderMap, body: Bytes) -> Self {
        let text = |name: &str| headers.get(name).map(decoded).unwrap_or_default();
        let attributes = headers
            .iter()
            .filter(|(name, _)| !is_of_the_request(name.as_str()))
            .map(|(name, value)| (name.as_str().to_owned(), decoded(value).into_owned()))
            .collect();
        Self {
            data: body,
            attributes,
            id: text(MESSAGE_ID).into_owned(),
            publish_time: time(Some(&text(PUBLISH_TIME))),
            ordering_key: [ORDERING_KEY, EMULATOR_ORDERING_KEY]
                .map(text)
                .into_iter()
                .find(|key| !key.is_empty())
                .map(Cow::into_owned),
            delivery_attempt: text(DELIVERY_ATTEMPT).parse().ok(),
            subscription: text(SUBSCRIPTION).into_owned(),
            source: None,
        }
    }
}

/// The value of a header. An attribute may hold any text, such as the name of an object, and arrives as UTF-8.
fn decoded(value: &HeaderValue) -> Cow<'_, str> {
    String::from_utf8_lossy(value.as_bytes())
}

#[cfg(feature = "testing")]
impl Push {
    /// The headers of an unwrapped push, including attributes; or the attribute that is not a valid header.
    pub fn to_unwrapped_headers(&self) -> Result<HeaderMap, String> {
        let time = self.publish_time.map(rfc3339_millis);
        let attempt = self.delivery_attempt.map(|attempt| attempt.to_string());
        let told = [
            (SUBSCRIPTION, Some(&self.subscription)),
            (MESSAGE_ID, Some(&self.id)),
            (PUBLISH_TIME, time.as_ref()),
            (ORDERING_KEY, self.ordering_key.as_ref()),
            (DELIVERY_ATTEMPT, attempt.as_ref()),
        ];
        let told = told.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let attributes = self.attributes.iter().map(|(key, value)| (key.as_str(), value));
        told.chain(attributes)
            .map(|(name, value)| {
                let text = HeaderValue::from_bytes(value.as_bytes());
                let pair = name.parse::<HeaderName>().ok().zip(text.ok());
                pair.ok_or_else(|| {
                    format!("no header can carry {name:?}: {value:?}, as a push without a wrapper would")
                })
            })
            .collect()
    }
}

/// Whether a header belongs to the request itself. In an unwrapped push all other headers are attributes.
fn is_of_the_request(name: &str) -> bool {
    const OWN: &[HeaderName] = &[
        header::ACCEPT,
        header::ACCEPT_ENCODING,
        header::AUTHORIZATION,
        header::CONNECTION,
        header::CONTENT_ENCODING,
        header::CONTENT_LENGTH,
        header::CONTENT_TYPE,
        header::FORWARDED,
        header::FROM,
        header::HOST,
        header::TE,
        header::TRANSFER_ENCODING,
        header::USER_AGENT,
        header::VIA,
    ];
    OWN.iter().any(|own| own == name)
        || [
            "x-goog-pubsub-",
            "x-goog-ordering-key",
            "x-forwarded-",
            "x-cloud-trace-",
            "x-appengine-",
            "x-google-",
        ]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&'static str, &'static str)]) -> Push {
        let headers = pairs
            .iter()
            .map(|(name, value)| {
                let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
                (HeaderName::from_static(name), value)
            })
            .chain([(HeaderName::from_static(MESSAGE_ID), "7".parse().unwrap())])
            .collect();
        Push::read(&headers, "content".into()).unwrap()
    }

    #[test]
    fn an_ordering_key_is_read_under_either_name_and_an_empty_one_is_none() {
        for (pairs, expected) in [
            (&[(ORDERING_KEY, "a")][..], Some("a")),
            (&[(EMULATOR_ORDERING_KEY, "a")], Some("a")),
            (&[(ORDERING_KEY, ""), (EMULATOR_ORDERING_KEY, "")], None),
            (&[(ORDERING_KEY, "")], None),
            (&[], None),
        ] {
            let push = read(pairs);

            assert_eq!(push.ordering_key.as_deref(), expected, "{pairs:?}");
            assert!(push.attributes.is_empty(), "{:?}", push.attributes);
        }
    }

    #[test]
    fn an_attribute_and_an_ordering_key_may_be_any_text() {
        let push = read(&[("objectid", "Belege/März, 100%.pdf"), (ORDERING_KEY, "größte")]);

        assert_eq!(push.attributes["objectid"], "Belege/März, 100%.pdf");
        assert_eq!(push.ordering_key.as_deref(), Some("größte"));
    }

    #[cfg(feature = "testing")]
    #[test]
    fn what_is_pushed_without_a_wrapper_is_read_again() {
        let push = Push {
            data: "content".into(),
            attributes: [("objectid".to_owned(), "Belege/März, 100%.pdf".to_owned())].into(),
            id: "7".to_owned(),
            ordering_key: Some("größte".to_owned()),
            delivery_attempt: Some(3),
            subscription: "projects/p/subscriptions/s".to_owned(),
            ..Push::default()
        };

        let headers = push.to_unwrapped_headers().unwrap();

        assert_eq!(Push::read(&headers, push.data.clone()), Ok(push));
    }

    #[test]
    fn a_body_without_a_word_of_what_it_is_is_the_content_where_the_subscriber_says_so() {
        let headers = HeaderMap::from_iter([(HeaderName::from_static("userid"), "7".parse().unwrap())]);
        for body in [
            "{\"a\": 1}",
            "plain text",
            "",
            "[1]",
            r#"{"message": {}}"#,
            r#"{"message": {"data": "aGk="}}"#,
            r#"{"message": "hi", "subscription": "weekly"}"#,
        ] {
            let bare = Push::read_or_bare(&headers, body.into()).unwrap();

            assert_eq!((&*bare.data, bare.id.as_str()), (body.as_bytes(), ""));
            assert_eq!(bare.attributes["userid"], "7");
        }
        for wrapped in [
            r#"{"message": {"data": "Nw==", "messageId": "42"}, "subscription": "s"}"#,
            r#"{"message": {"data": "Nw==", "message_id": "42"}}"#,
            r#"{"message": {"data": "Nw=="}, "subscription": "s"}"#,
        ] {
            assert_eq!(Push::read_or_bare(&headers, wrapped.into()).unwrap().data, "7");
        }
    }
}
