"""All arguments of all clients, and what each decides: which resource is asked for, by whom, of whom, by which way.

An argument that decides something and is overlooked gives one user the answer of another. So every argument is listed
here, also those that decide nothing, and a test compares the list with the signatures of the installed clients: an
argument that a new version of a client brings must be listed before that test passes again.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

__all__ = ["CLIENT_ARGUMENTS", "ClientArguments", "Decides"]


class Decides(StrEnum):
    """The part of a key that an argument decides."""

    RESOURCE = "resource"
    """Which one is asked for: URL, ``Host``, and for methods that are opted in the body (``keys.py``)."""
    USER = "user"
    """The user who asks: fields by their names, userinfo; cookies in a shared cache (``credentials.py``)."""
    PEER = "peer"
    """The peer: whom the client believes to talk to, and as whom (``tls.py``)."""
    PROXY = "proxy"
    """Which proxy sees a request without TLS, and as whose (``peers.py``)."""
    CONNECTION = "connection"
    """Which connections a request may take: authenticated ones bring nothing that is kept (``connection_auth.py``)."""
    NOTHING = "nothing"
    """None of these: the request that is sent stays the same, and so does whose answer comes."""


class ClientArguments(NamedTuple):
    """The arguments of one place, and what they decide.

    :ivar place: the function, class or object whose arguments, attributes or names they are.
    :ivar names: the names of the arguments by what they decide; a name may stand in several groups.
    """

    place: str
    names: dict[Decides, str]

    def all(self) -> set[str]:
        """The names of all arguments of this place."""
        return {name for names in self.names.values() for name in names.split()}


_R, _U, _P, _X, _C, _N = Decides
CLIENT_ARGUMENTS: Final = (
    ClientArguments(
        "requests.Session.request",
        {
            _R: "method url params data json files headers",
            _U: "url headers cookies auth",
            _P: "verify cert",
            _X: "proxies",
            _N: "timeout allow_redirects hooks stream",
        },
    ),
    ClientArguments(
        "requests.Session",
        {
            _R: "params headers",
            _U: "headers cookies auth trust_env",
            _P: "verify cert adapters trust_env",
            _X: "proxies adapters trust_env",
            _C: "adapters",
            _N: "hooks stream max_redirects",
        },
    ),
    ClientArguments(
        "requests.adapters.HTTPAdapter.send",
        {_R: "request", _U: "request", _P: "verify cert", _X: "proxies", _N: "stream timeout"},
    ),
    ClientArguments(
        "urllib3.poolmanager.PoolKey",
        {
            _R: "scheme host port",
            _P: "cert_file key_file cert_reqs ca_certs ca_cert_data ca_cert_dir ssl_context assert_hostname "
            "assert_fingerprint server_hostname",
            _X: "_proxy _proxy_headers _socks_options",
            _N: "timeout retries block source_address key_password ssl_version ssl_minimum_version ssl_maximum_version "
            "maxsize headers _proxy_config socket_options blocksize",
        },
    ),
    ClientArguments(
        "aiohttp.ClientSession.request",
        {
            _R: "method str_or_url params data json headers",
            _U: "str_or_url headers cookies auth middlewares",
            _P: "ssl ssl_context verify_ssl fingerprint server_hostname",
            _X: "proxy proxy_auth proxy_headers",
            _N: "skip_auto_headers allow_redirects max_redirects compress chunked expect100 raise_for_status "
            "read_until_eof timeout trace_request_ctx read_bufsize auto_decompress max_line_size max_field_size "
            "max_headers upload_tracker",
        },
    ),
    ClientArguments(
        "aiohttp.ClientSession",
        {
            _R: "base_url headers json_serialize json_serialize_bytes request_class",
            _U: "headers cookies cookie_jar auth trust_env middlewares request_class",
            _P: "connector",
            _X: "proxy proxy_auth trust_env",
            _C: "connector",
            _N: "loop skip_auto_headers response_class ws_response_class version connector_owner raise_for_status "
            "read_timeout conn_timeout timeout auto_decompress requote_redirect_url trace_configs read_bufsize "
            "max_line_size max_field_size max_headers fallback_charset_resolver ssl_shutdown_timeout",
        },
    ),
    ClientArguments(
        "aiohttp.TCPConnector",
        {
            _P: "ssl ssl_context verify_ssl fingerprint",
            # An address is not whom one talks to, unless the peer proves nothing: then peer= says it.
            _N: "use_dns_cache ttl_dns_cache dns_cache_max_size family local_addr resolver keepalive_timeout "
            "force_close limit limit_per_host enable_cleanup_closed loop timeout_ceil_threshold happy_eyeballs_delay "
            "interleave socket_factory ssl_shutdown_timeout",
        },
    ),
    ClientArguments(
        "aiohttp.UnixConnector",
        {_P: "path", _N: "force_close keepalive_timeout limit limit_per_host loop"},
    ),
    ClientArguments(
        "httpx2.Request",
        {
            _R: "method url params headers content data files json stream extensions",
            _U: "url headers cookies",
            _P: "extensions",
        },
    ),
    ClientArguments(
        "httpx2.HTTPTransport",
        {
            _P: "verify cert trust_env uds",
            _X: "proxy",
            _N: "http1 http2 limits local_address retries socket_options",
        },
    ),
    ClientArguments("httpx2.Proxy", {_X: "url auth headers ssl_context"}),
    ClientArguments(
        "TrioCachedSession.request",
        {
            _R: "method url params content data json headers",
            _U: "url headers auth",
            _N: "timeout follow_redirects",
        },
    ),
    ClientArguments(
        "TrioCachedSession",
        {
            _R: "base_url params headers",
            _U: "headers cookies auth",
            _P: "ssl_context verify",
            _N: "timeout limits follow_redirects max_redirects",
        },
    ),
    ClientArguments(
        "environment",
        {
            _U: "NETRC",
            _P: "REQUESTS_CA_BUNDLE CURL_CA_BUNDLE SSL_CERT_FILE SSL_CERT_DIR",
            _X: "HTTP_PROXY ALL_PROXY NO_PROXY",
        },
    ),
    ClientArguments(
        "every session, adapter, middleware and transport",
        {_R: "ignored_parameters match_headers parameter_order key_fn namespace", _U: "identity shared", _P: "peer"},
    ),
)
"""In the order of the clients; the places below a client's own (connectors, pools, transports) follow it."""
