"""Who may call the Django project, decided by google-auth; and the request, kept for what is told of a run."""

import os
from contextvars import ContextVar

from django.http import JsonResponse
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request
from google.oauth2 import id_token

request_under_way = ContextVar("request_under_way")


def remember_the_request(get_response):
    def middleware(request):
        token = request_under_way.set(request)
        try:
            return get_response(request)
        finally:
            request_under_way.reset(token)

    return middleware


def verify_the_caller(get_response):
    """Lets those in whose token the engine signed for this service; Pub/Sub's emulator signs no pushes."""
    transport = Request()

    def middleware(request):
        if request.path.startswith("/subscriptions/"):
            return get_response(request)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        own, issuer = os.environ["PEER_URL"], os.environ["ENGINE_URL"]
        try:
            audiences = [own, own + request.path]
            claims = id_token.verify_token(token, transport, audience=audiences, certs_url=f"{issuer}/jwks")
        except (GoogleAuthError, ValueError) as error:
            return JsonResponse({"error": repr(error)}, status=401)
        if claims["iss"] != issuer or claims["email"] != os.environ["SERVICE_ACCOUNT"]:
            return JsonResponse({"error": f"who is {claims}?"}, status=403)
        request.claims = claims
        return get_response(request)

    return middleware
