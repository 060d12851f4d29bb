"""Names of request fields that carry credentials in real APIs, and of such that do not."""

from __future__ import annotations

__all__ = ["CREDENTIALS", "NO_CREDENTIALS"]

_CREDENTIALS = """
    Authorization Proxy-Authorization X-Authorization X-Ops-Authorization-1 x-ms-authorization-auxiliary
    Authentication X-Authentication X-Auth Auth X-Auth-Token X-Auth-Key X-Auth-User X-ZUMO-AUTH X-AuthN X-Authz
    Token X-Token Access-Token accesstoken X-Access-Token X-Id-Token X-Amz-Security-Token X-Vault-Token Private-Token
    PRIVATE-TOKEN Deploy-Token JOB-TOKEN X-GitHub-Token X-Shopify-Access-Token X-Figma-Token Circle-Token
    X-TrackerToken X-Plex-Token X-Postmark-Server-Token X-aws-ec2-metadata-token X-Forwarded-Access-Token
    Api-Key ApiKey APIKEY X_API_KEY X-Api-Key X-ApiKey xi-api-key X-Goog-Api-Key X-RapidAPI-Key X-MBX-APIKEY
    Ocp-Apim-Subscription-Key X-Algolia-API-Key DD-APPLICATION-KEY X-Insert-Key Fastly-Key X-Parse-Master-Key
    CB-ACCESS-KEY CB-ACCESS-SIGN CB-ACCESS-PASSPHRASE X-Secret CF-Access-Client-Secret PLAID-SECRET X-Client-Id
    X-Session X-Session-Id X-Sessionid Session-Id Mcp-Session-Id X-Transmission-Session-Id X-PHPSESSID X-Sid sid
    X-Password X-Passwd X-Pwd X-Pass X-Passphrase X-Credential X-Credentials X-Pinterest-Cred
    JWT X-Jwt Cf-Access-Jwt-Assertion X-Goog-IAP-JWT-Assertion X-Amzn-Oidc-Data DPoP X-SAML-Response Bearer X-Bearer
    Signature Signature-Input X-Signature X-Hub-Signature-256 X-Amz-Signature X-Sign X-Sig X-Hmac X-Ticket
    X-Otp X-GitHub-OTP X-WSSE Macaroons Grpc-Metadata-Macaroon X-Access-Code
    X-User X-User-Id X-UserId X-Username Remote-User X-WEBAUTH-USER X-Goog-AuthUser X-Uid X-Login X-Account-Id X-Tenant
    X-Tenant-Id X-Scope-OrgID X-Forwarded-Email From X-MS-Client-Principal X-Impersonate Impersonate-User X-Act-As
    X-On-Behalf-Of X-Customer-Id X-Consumer-Username X-SSL-Client-Cert X-ARR-ClientCert Client-Cert
    X-JFrog-Art-Api X-Honeycomb-Team X-Pin X-TOTP X-2FA Sudo SSL_CLIENT_S_DN X-Org-Id X-Grafana-Org-Id X-Organization-Id
    OpenAI-Organization OpenAI-Project X-Workspace-Id X-Company-Id X-Hasura-Role X-Roles X-Groups X-Member-Id X-Subject
    X-Firebase-AppCheck X-App-Check Dropbox-API-Select-Admin Dropbox-API-Select-User X-SSL-Client-DN X-Client-DN X-Actor
    X-Acting-As X-Merchant-Id X-Subscriber-Id X-Employee-Id X-Patient-Id X-Student-Id X-Persona
    X-Cookie X-PW X-UserPass X-Apigateway-Api-Userinfo ClientId AccountId X-AUSERNAME X-MFA X-Admin X-Claims
    X-Vault-Namespace X-Owner X-Permissions X-Scopes X-MSISDN
"""
_NO_CREDENTIALS = """
    Accept Accept-Encoding Accept-Language Accept-Charset User-Agent X-Amz-User-Agent Referer Origin Host Connection
    Keep-Alive Cache-Control Pragma Range If-None-Match Content-Type Content-Length Expect TE Upgrade Via Forwarded
    X-Forwarded-For X-Real-IP X-Request-ID X-Correlation-ID Traceparent Tracestate Baggage X-B3-TraceId Prefer Depth
    X-UserAgent X-Original-User-Agent X-Requested-With DNT Priority Save-Data Viewport-Width X-Client-Version
    X-Device-Id X-Amz-Date Anthropic-Version
    Notion-Version X-GitHub-Api-Version X-Author Authority Authored-By Keyboard X-Keyword Design Passage Cookie
    Idempotency-Key X-Idempotency-Key Sec-WebSocket-Key Sec-Fetch-User Sec-CH-UA
    X-CSRF-Token X-CSRFToken X-XSRF-TOKEN RequestVerificationToken
"""

CREDENTIALS = _CREDENTIALS.split()
NO_CREDENTIALS = _NO_CREDENTIALS.split()
