"""What the examples with Django, Flask, Celery and trio promise.

That each runs as a command and prints what the documentation shows is a test of `test_docs.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import trio
from celery.contrib.testing.worker import start_worker
from django.test import Client as Browser
from examples import celery_task, django_view, flask_app, trio_service

from glide_scripts.sync import GlideClient
from glide_scripts.testing import ValkeyServer


class TestDjangoView:
    @pytest.fixture
    def browser(self, own_server: ValkeyServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
        with GlideClient.from_url(f"{own_server.url}?timeout=50") as client:
            monkeypatch.setattr(django_view, "client", client)
            yield Browser()

    def test_requests_of_several_threads_get_no_more_than_the_bucket_holds(
        self, browser: Any
    ) -> None:
        with ThreadPoolExecutor(8) as threads:
            responses = list(threads.map(lambda _: browser.get("/search"), range(20)))
        assert Counter(each.status_code for each in responses) == {200: 3, 429: 17}
        assert {each.headers.get("Retry-After") for each in responses} == {None, "10"}

    def test_a_request_is_let_through_when_it_cannot_be_counted(
        self, browser: Any, own_server: ValkeyServer
    ) -> None:
        assert browser.get("/search").status_code == 200
        own_server.pause()
        response = browser.get("/search")
        own_server.resume()
        assert response.json() == {"found": "it"}


class TestFlaskApp:
    @pytest.fixture
    def app(self, server: ValkeyServer) -> Iterator[Any]:
        app = flask_app.create_app(server.url)
        with app.extensions["valkey"]:
            yield app

    def test_of_the_same_votes_at_once_one_counts(self, app: Any) -> None:
        def vote(_: int) -> int:
            form = {"voter": "ann", "choice": "yes"}
            status: int = app.test_client().post("/polls/lunch", data=form).status_code
            return status

        with ThreadPoolExecutor(8) as threads:
            assert Counter(threads.map(vote, range(20))) == {200: 1, 409: 19}
        assert app.test_client().get("/polls/lunch").json == {"yes": 1}

    def test_polls_have_voters_of_their_own(self, app: Any) -> None:
        form = {"voter": "ann", "choice": "no"}
        for poll in ("lunch", "dinner"):
            assert app.test_client().post(f"/polls/{poll}", data=form).json == {"no": 1}

    def test_a_vote_without_a_voter_is_refused(self, app: Any) -> None:
        assert app.test_client().post("/polls/lunch", data={"choice": "yes"}).status_code == 400


def test_tasks_of_celery_reach_the_partner_as_often_as_it_allows(
    server: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        GlideClient.from_url(server.url) as client,
        start_worker(celery_task.app, pool="threads", concurrency=4, perform_ping_check=False),
    ):
        monkeypatch.setattr(celery_task, "client", client)
        tasks = [celery_task.tell_partner.delay(str(number)) for number in range(6)]
        told = {task.get(timeout=300) for task in tasks}
        assert told == {f"the partner knows of {number}" for number in range(6)}
        # Two at once are allowed, so the others had to be refused at least once.
        assert client.stats().calls > 6


class TestTrioService:
    def test_of_callers_at_once_one_hears_of_a_new_offer(self, server: ValkeyServer) -> None:
        async def main() -> list[tuple[str, str]]:
            answers: list[tuple[str, str]] = []
            async with trio.open_nursery() as nursery:
                port = await nursery.start(trio_service.serve, server.url, 0)
                async with trio.open_nursery() as callers:
                    for _ in range(20):
                        callers.start_soon(trio_service.ask, port, ["figs", "nuts"], answers)
                nursery.cancel_scope.cancel()
            return answers

        once, others = 1, 19
        assert Counter(trio.run(main)) == {
            (offer, verdict): count
            for offer in ("figs", "nuts")
            for verdict, count in (("new", once), ("old", others))
        }

    def test_an_offer_is_unknown_while_the_server_hangs(self, own_server: ValkeyServer) -> None:
        async def main() -> list[tuple[str, str]]:
            answers: list[tuple[str, str]] = []
            async with trio.open_nursery() as nursery:
                port = await nursery.start(trio_service.serve, own_server.url, 0)
                own_server.pause()
                await trio_service.ask(port, ["figs"], answers)
                own_server.resume()
                nursery.cancel_scope.cancel()
            return answers

        assert trio.run(main) == [("figs", "unknown")]
