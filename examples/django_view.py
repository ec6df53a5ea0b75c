"""A rate limiter for a Django view: each caller has a bucket of tokens that refills steadily.

    python examples/django_view.py

starts a temporary server and sends requests to the view in this process. To serve it with the
server at localhost: ``gunicorn --chdir examples django_view:application``. The script is
``scripts/token_bucket.lua``.

The client connects with the first request of each process, since gunicorn forks its workers. All
threads of a worker share it.
"""

import functools
import logging
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.test import Client as Browser
from django.urls import path

from glide_scripts.sync import ClosingError, GlideClient, RequestError, ScriptLibrary
from glide_scripts.testing import ValkeyServer

if TYPE_CHECKING:
    from examples.scripts.library import Library

scripts = cast("Library", ScriptLibrary.from_directory(Path(__file__).with_name("scripts")))
logger = logging.getLogger("rate_limiter")

View = Callable[[HttpRequest], HttpResponse]

if not settings.configured:
    # In a project, these are in its settings module.
    settings.configure(
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=__name__,
        SECRET_KEY="only for the example",
        VALKEY_URL=os.environ.get("VALKEY_URL", "valkey://localhost?timeout=500&lazy_connect=true"),
    )
    django.setup()

client = GlideClient.from_url(settings.VALKEY_URL)


def limited(capacity: int, per_second: float) -> Callable[[View], View]:
    """Return a decorator for a view: `capacity` requests at once, then `per_second`."""

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def check(request: HttpRequest) -> HttpResponse:
            # A site with users would name the user, not the address.
            bucket = f"bucket:{request.path}:{request.META['REMOTE_ADDR']}"
            try:
                allowed, _, wait_ms = scripts.token_bucket(
                    client, bucket, capacity=capacity, per_second=per_second
                )
            except (RequestError, ClosingError):
                # A limiter that refuses everything when it cannot count turns one outage into two.
                logger.exception("the request is not counted")
                return view(request)
            if allowed:
                return view(request)
            seconds = str(math.ceil(wait_ms / 1000))
            return HttpResponse("too many requests", status=429, headers={"Retry-After": seconds})

        return check

    return decorate


@limited(capacity=3, per_second=0.1)
def search(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"found": "it"})


urlpatterns = [path("search", search)]
application = get_wsgi_application()


def main() -> None:
    browser = Browser()
    for _ in range(5):
        response = browser.get("/search")
        again = response.headers.get("Retry-After")
        print(response.status_code, f"try again in {again} s" if again else response.json())


if __name__ == "__main__":
    with ValkeyServer() as server, GlideClient.from_url(f"{server.url}?timeout=500") as client:
        main()
