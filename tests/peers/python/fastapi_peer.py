"""A FastAPI service with fastapi-gcp-tasks, as far as it makes tasks: its callbacks are the routes of the Rust service."""

import os

from fastapi import APIRouter
from fastapi_gcp_tasks import DelayedRouteBuilder
from fastapi_gcp_tasks.hooks import oidc_delayed_hook
from fastapi_gcp_tasks.utils import emulator_client, queue_path
from google.cloud.tasks_v2 import OidcToken
from pydantic import BaseModel

import lines

router = APIRouter(
    route_class=DelayedRouteBuilder(
        callback_base_url=os.environ["ENDPOINT"],
        queue_path=queue_path(project=os.environ["GCP_PROJECT"], location=os.environ["GCP_LOCATION"], queue="fastapi"),
        client=emulator_client(host=os.environ["ENGINE_URL"].removeprefix("http://")),
        pre_create_hook=oidc_delayed_hook(token=OidcToken(service_account_email=os.environ["SERVICE_ACCOUNT"])),
        auto_create_queue=True,
    )
)


class Terms(BaseModel):
    a: int
    b: int


class Profile(BaseModel):
    name: str
    ratio: float
    big: int
    referrer: str | None


@router.post("/tasks/Add")
def add(terms: Terms): ...


@router.post("/tasks/Profile")
def profile(values: Profile, source: str): ...


@router.post("/tasks/Nothing")
def nothing(): ...


def told(task):
    return {"id": task.name.rsplit("/", 1)[-1], "url": task.http_request.url}


def delay_add(a, b):
    return told(add.delay(terms=Terms(a=a, b=b)))


def delay_profile(values, source):
    return told(profile.delay(values=Profile(**values), source=source))


def delay_nothing():
    return told(nothing.delay())


lines.event({"ready": True})
lines.answer_calls({call.__name__: call for call in (delay_add, delay_profile, delay_nothing)})
