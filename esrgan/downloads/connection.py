"""How an address is asked, and what becomes of a refusal."""

from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from socket import EAI_AGAIN, gaierror
from ssl import SSLCertVerificationError
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from esrgan.downloads.answers import TransferError, UnavailableError, size_in_refusal
from esrgan.downloads.partial import discard

_PASSING = (408, 425, 429, 500, 502, 503, 504)
_BEHIND_THE_END = 416


class _Redirects(HTTPRedirectHandler):
    max_redirections = 5
    max_repeats = 2

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        if req.full_url.startswith("https:") and not newurl.startswith("https:"):
            raise UnavailableError(f"redirects to {newurl}, which is not protected as https is")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_OPENER = build_opener(_Redirects)


def open_address(request: Request, part: Path, stall: float) -> HTTPResponse | None:
    """The response, after redirects; None: nothing follows what the part has.

    Raises:
        UnavailableError: asking again will not help.
        TransferError: it may.
    """
    try:
        response = _OPENER.open(request, timeout=stall)
    except HTTPError as error:
        with error:
            _judge(error, part)
        return None
    except URLError as error:
        if isinstance(error.reason, SSLCertVerificationError):
            raise UnavailableError(f"has no valid certificate: {error.reason}") from error
        if isinstance(error.reason, gaierror) and error.reason.errno != EAI_AGAIN:
            raise UnavailableError("is on no known server, or there is no network") from error
        raise TransferError(f"no connection: {error.reason}") from error
    except (OSError, HTTPException) as error:
        raise TransferError(f"no answer: {str(error) or type(error).__name__}") from error
    assert isinstance(response, HTTPResponse)
    return response


def _judge(error: HTTPError, part: Path) -> None:
    """Returns if the refusal only says that the part is complete."""
    reason = f"{error.code} {str(error.reason).partition(chr(10))[0]}"
    if error.code == _BEHIND_THE_END:
        size = size_in_refusal(error.headers)
        if size is not None and size == part.stat().st_size:
            return
        discard(part)
        raise TransferError("the file has become shorter on the server") from error
    if error.code in _PASSING:
        raise TransferError(f"the server answers {reason}") from error
    raise UnavailableError(f"answers {reason}") from error
