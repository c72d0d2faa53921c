"""The tasks of the Django project. Those of the Rust side have the same names and arguments."""

from django.db import models
from django_cloud_tasks.context import get_current_headers
from django_cloud_tasks.tasks import ModelPublisherTask, PublisherTask, SubscriberTask, Task

import lines
from django_middleware import request_under_way


def tell(task, arguments):
    """Tells of a run; `repr` shows numbers to the last digit, whatever reads the line."""
    request = request_under_way.get()
    metadata = task._metadata
    lines.event(
        {
            "task": task.name(),
            "arguments": arguments,
            "repr": repr(arguments),
            "path": request.path,
            "headers": dict(request.headers),
            "carried": get_current_headers(),
            "audience": getattr(request, "claims", {}).get("aud"),
            "queue": metadata.queue_name,
            "id": metadata.task_id,
            "attempt": metadata.dispatch_number + 1 if metadata.dispatch_number is not None else None,
            "eta": metadata.eta.timestamp() if metadata.eta else None,
        }
    )


class Add(Task):
    def run(self, a, b):
        tell(self, {"a": a, "b": b})
        return a + b


class Store(Task):
    def run(self, **values):
        tell(self, values)


class Nothing(Task):
    def run(self):
        tell(self, {})


class Flaky(Task):
    def run(self, fails):
        tell(self, {"fails": fails})
        if self._metadata.dispatch_number < fails:
            raise RuntimeError("not yet")


class Once(Task):
    only_once = True

    def run(self):
        tell(self, {})


class OrderShipped(PublisherTask): ...


class OrderToForward(PublisherTask): ...


class Ping(PublisherTask): ...


class Order(models.Model):
    total = models.DecimalField(max_digits=9, decimal_places=2)
    category = models.CharField(max_length=20)

    class Meta:
        app_label = "sales"


class OrderCreated(ModelPublisherTask):
    @classmethod
    def build_message_content(cls, obj, **kwargs):
        return {"order_id": obj.pk, "total": obj.total, "source": kwargs["source"]}

    @classmethod
    def build_message_attributes(cls, obj, **kwargs):
        return {"category": obj.category}


class OrderAuditor(SubscriberTask):
    def run(self, content, attributes=None):
        tell(self, {"content": content, "attributes": attributes})

    @classmethod
    def topic_name(cls):
        return OrderShipped.topic_name()


class OrderForwarder(OrderAuditor):
    use_cloud_tasks = True

    @classmethod
    def topic_name(cls):
        return OrderToForward.topic_name()


class Pong(SubscriberTask):
    def run(self, content, attributes=None):
        tell(self, {"content": content, "attributes": attributes})

    @classmethod
    def topic_name(cls):
        return Ping.topic_name()


class NewOrders(SubscriberTask):
    def run(self, content, attributes=None):
        tell(self, {"content": content, "attributes": attributes})

    @classmethod
    def topic_name(cls):
        return OrderCreated.topic_name(obj=Order())
