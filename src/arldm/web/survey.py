"""The pages of a human study: a guide, one page for each pair, thanks. What a method is called never leaves the server."""

import secrets
import sys
from pathlib import Path
from typing import Annotated, Any

from fastapi import Cookie, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, PackageLoader
from pydantic import BaseModel, Field

from arldm.errors import OutputError, SurveyError
from arldm.evaluate.survey.study import ANSWERS, PICTURES, QUESTIONS, Study, shown
from arldm.evaluate.survey.votes import Votes

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",  # the address is the rater's secret
    "X-Robots-Tag": "noindex",
    "X-Content-Type-Options": "nosniff",
}
LARGEST = 10_000  # bytes that a page may send; a ballot has some hundred
CHOICES = tuple(zip(ANSWERS, ("A", "Equal", "B"), ("1", "2", "3"), strict=True))  # with names and keys
ROOM = Environment(loader=PackageLoader("arldm.web"), autoescape=True, trim_blocks=True, lstrip_blocks=True)


class Ballot(BaseModel):
    """What a page sends about its pair."""

    answers: dict[str, str] = Field(max_length=len(QUESTIONS))
    seconds: float = Field(ge=0, le=1e6)


def survey_app(study: Study, folder: Path, votes: Votes) -> FastAPI:
    """The server of one study."""
    app = FastAPI(title="Survey", openapi_url=None, max_body_size=LARGEST)
    app.mount("/static", StaticFiles(packages=[("arldm.web", "static")]), name="static")
    pictures = {name: folder / PICTURES / name for name in shown(study.pairs.values())}

    def page(name: str, status: int = 200, **told: Any) -> HTMLResponse:
        return HTMLResponse(ROOM.get_template(name).render(told), status, headers={"Cache-Control": "no-store"})

    def stranger() -> HTMLResponse:
        return page("message.html", 404, title="This link is not known", text="Please check that you copied the whole link.")

    def answered(rater: str) -> int:
        """How many of a rater's pairs are answered, which is the place of the next one: pairs are answered in their order."""
        given = votes.answers(rater)
        return next((place for place, pair in enumerate(study.raters[rater]) if pair not in given), len(study.raters[rater]))

    @app.middleware("http")
    async def headers(request: Request, call_next: Any) -> Response:
        response = await call_next(request)
        response.headers.update(HEADERS)
        if "browser" not in request.cookies and response.headers.get("content-type", "").startswith("text/html"):
            response.set_cookie("browser", secrets.token_hex(8), max_age=31_536_000, httponly=True, samesite="lax")
        return response

    @app.exception_handler(RequestValidationError)
    def unread(request: Request, error: RequestValidationError) -> JSONResponse:
        return JSONResponse({"error": "The answers cannot be understood; please reload the page."}, 400)

    @app.get("/")
    def door() -> HTMLResponse:
        return page("message.html", title="Welcome", text="Please open the link that was sent to you.")

    @app.get("/r/{rater}")
    def begin(rater: str) -> Response:
        if rater not in study.raters:
            return stranger()
        done, of = answered(rater), len(study.raters[rater])
        return page("guide.html", rater=rater, done=done, of=of, questions=QUESTIONS)

    @app.get("/r/{rater}/{number}")
    def compare(rater: str, number: int) -> Response:
        if rater not in study.raters:
            return stranger()
        done, of = answered(rater), len(study.raters[rater])
        if not 1 <= number <= done + 1:
            return RedirectResponse(f"/r/{rater}/{min(done + 1, of)}", 303)
        if number > of:
            return page("message.html", title="Thank you!", text=f"All {of} pairs are answered. You can close this page.")
        id = study.raters[rater][number - 1]
        pair, given = study.pairs[id], votes.answers(rater).get(id, {})
        frames = list(zip(study.captions[pair.story], pair.a.pictures, pair.b.pictures, strict=True))
        ahead = study.pairs[study.raters[rater][number]] if number < of else None
        told = {"frames": frames, "given": given, "questions": QUESTIONS, "answers": CHOICES}
        return page("pair.html", rater=rater, number=number, of=of, ahead=sorted(shown([ahead])) if ahead else (), **told)

    @app.post("/r/{rater}/{number}")
    def vote(rater: str, number: int, ballot: Ballot, browser: Annotated[str, Cookie()] = "") -> JSONResponse:
        pairs = study.raters.get(rater, ())
        if not 1 <= number <= len(pairs):
            return JSONResponse({"error": "This link or its pair is not known."}, 404)
        try:
            kept = votes.put(rater, pairs[number - 1], ballot.answers, browser[:64], ballot.seconds)
        except SurveyError as error:
            return JSONResponse({"error": str(error)}, 400)
        except OutputError as error:  # until there is room again, the page keeps the answers and tries on
            print(f"arldm: {error}", file=sys.stderr)
            return JSONResponse({"error": "The answers cannot be kept just now."}, 503)
        return JSONResponse({"kept": kept}, 409 if kept == "other" else 200)

    @app.get("/p/{name}")
    def picture(name: str) -> Response:
        if name not in pictures:
            return Response(status_code=404)
        # no file's date is told: pictures of one method may have been written together
        return Response(pictures[name].read_bytes(), media_type="image/png", headers={"Cache-Control": "max-age=86400, immutable"})

    return app
