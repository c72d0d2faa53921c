"""A Django service with django-google-cloud-tasks, which does what the lines on its standard input ask for.

Everything is the library's own but for two things: its Cloud Tasks client calls the engine, and its credentials are
nobody's. The environment has the account and `DJANGO_CLOUD_TASKS_ENDPOINT`, which is this service unless it is given.
"""

import os
import socket
import threading

import django
import grpc
import waitress
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from gcp_pilot.base import GoogleCloudPilotAPI
from gcp_pilot.tasks import CloudTasks
from google.auth.credentials import AnonymousCredentials
from google.cloud.tasks_v2 import CloudTasksClient
from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcTransport

import lines

listener = socket.create_server(("127.0.0.1", 0))
url = f"http://127.0.0.1:{listener.getsockname()[1]}"
os.environ["PEER_URL"] = url
os.environ.setdefault("DJANGO_CLOUD_TASKS_ENDPOINT", url)
os.environ["DJANGO_SETTINGS_MODULE"] = "django_settings"


def tasks_client(credentials):
    channel = grpc.insecure_channel(os.environ["ENGINE_URL"].removeprefix("http://"))
    return CloudTasksClient(transport=CloudTasksGrpcTransport(channel=channel))


CloudTasks._client_class = staticmethod(tasks_client)

application = get_wsgi_application()
import django_tasks  # noqa: E402
from django_cloud_tasks.context import set_current_headers  # noqa: E402

server = waitress.create_server(application, sockets=[listener], threads=2)
threading.Thread(target=server.run, daemon=True).start()


def told(metadata):
    return {
        "id": metadata.task_id,
        "queue": metadata.queue_name,
        "eta": metadata.eta.timestamp(),
        "headers": metadata.custom_headers,
    }


def use_engine(url, project):
    """Calls this engine, and lets those in whom it signs for."""
    os.environ["ENGINE_URL"] = url
    GoogleCloudPilotAPI._cached_credentials = (AnonymousCredentials(), project, os.environ["SERVICE_ACCOUNT"])


def create_queue(name):
    """Cloud Tasks makes no queues by itself; the library does where the service's answer has its old wording."""
    CloudTasks().create_queue(queue_name=name)


def asap(task, arguments, headers=None):
    set_current_headers(headers or {})
    return told(getattr(django_tasks, task).asap(**arguments))


def later(task, arguments, seconds):
    return told(getattr(django_tasks, task).later(task_kwargs=arguments, eta=seconds))


def publish(task, arguments):
    """Publishes here and now, without a task."""
    getattr(django_tasks, task).sync(**arguments)


def order_created(source):
    order = django_tasks.Order(pk=7, total="19.90", category="b\u00fccher")
    return told(django_tasks.OrderCreated.asap(obj=order, source=source))


def queued_task(queue, task):
    """A task as it waits in its queue: what the service was asked for."""
    found = CloudTasks().get_task(queue_name=queue, task_name=task)
    request = found.http_request
    return {
        "url": request.url,
        "body": request.body.decode(),
        "headers": dict(request.headers),
        "audience": request.oidc_token.audience,
        "account": request.oidc_token.service_account_email,
    }


def discard(task):
    return sorted(getattr(django_tasks, task).discard())


def set_up():
    """What a deployment runs: a topic for every publisher, a push subscription for every subscriber."""
    for publisher in (django_tasks.OrderShipped, django_tasks.OrderToForward, django_tasks.Ping):
        publisher.set_up()
    call_command("initialize_subscribers")


lines.event({"url": url, "versions": {"django": django.get_version()}})
lines.answer_calls(
    {
        call.__name__: call
        for call in (use_engine, create_queue, asap, later, publish, order_created, queued_task, discard, set_up)
    }
)
