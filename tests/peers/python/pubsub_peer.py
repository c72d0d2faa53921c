"""Google's own Pub/Sub client, as publisher and as subscriber, with its traces on."""

import base64
import os

from google.cloud import pubsub_v1
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

import lines

trace.set_tracer_provider(TracerProvider())

project = os.environ["GCP_PROJECT"]
publisher = pubsub_v1.PublisherClient(
    publisher_options=pubsub_v1.types.PublisherOptions(
        enable_message_ordering=True, enable_open_telemetry_tracing=True
    )
)
subscriber = pubsub_v1.SubscriberClient(
    subscriber_options=pubsub_v1.types.SubscriberOptions(enable_open_telemetry_tracing=True)
)


def publish(topic, data, attributes, ordering_key=""):
    """Publishes bytes within a span, and gives back the message's id and the span's trace."""
    with trace.get_tracer("peer").start_as_current_span("order") as span:
        path = publisher.topic_path(project, topic)
        future = publisher.publish(path, base64.b64decode(data), ordering_key=ordering_key, **attributes)
        return {"id": future.result(), "trace": format(span.get_span_context().trace_id, "032x")}


def subscribe(topic, subscription):
    """Makes a subscription, and tells of every message that arrives."""
    topic = publisher.topic_path(project, topic)
    path = subscriber.subscription_path(project, subscription)
    subscriber.create_subscription(request={"name": path, "topic": topic, "enable_message_ordering": True})

    def arrived(message):
        span = message.opentelemetry_data.subscribe_span
        lines.event(
            {
                "data": message.data.decode(),
                "attributes": dict(message.attributes),
                "ordering_key": message.ordering_key,
                "id": message.message_id,
                # The span of the delivery, which is a child of the publisher's where the client finds that.
                "trace": format(span.get_span_context().trace_id, "032x"),
            }
        )
        message.ack()

    subscriber.subscribe(path, arrived)


lines.event({"ready": True})
lines.answer_calls({call.__name__: call for call in (publish, subscribe)})
