"""Microsoft's own client signs with keys of the server under test and verifies what it signed.

Prints one JSON line per algorithm, with what it signed, for the caller to verify on its own. What the server lacks, as
ADCP_TEST_AZURE_KEY_VAULT_LACKS says, is not asked of it.
"""

import base64
import hashlib
import json
import os
import sys
import time
import uuid
from datetime import datetime, timedelta, timezone
from urllib.parse import urlsplit

from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError
from azure.core.rest import HttpRequest
from azure.keyvault.keys import JsonWebKey, KeyClient
from azure.keyvault.keys.crypto import CryptographyClient, SignatureAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

MESSAGE = b"a signature base"
URL = os.environ["ADCP_TEST_AZURE_KEY_VAULT_URL"]
TOKEN = os.environ["ADCP_TEST_AZURE_KEY_VAULT_TOKEN"]
DENIED_TOKEN = os.environ.get("ADCP_TEST_AZURE_KEY_VAULT_DENIED_TOKEN")
LACKS = os.environ.get("ADCP_TEST_AZURE_KEY_VAULT_LACKS", "").split()
DIGESTS = {
    SignatureAlgorithm.es256: hashlib.sha256(MESSAGE).digest(),
    SignatureAlgorithm.ps512: hashlib.sha512(MESSAGE).digest(),
}
NO_VERSION = "0" * 32
ANY = object()


class Bearer:
    def __init__(self, token):
        self.token = token

    def get_token(self, *scopes, **_):
        assert len(scopes) == 1 and scopes[0].endswith("/.default"), scopes
        return AccessToken(self.token, int(time.time()) + 3600)


def options():
    azure = urlsplit(URL).hostname.endswith(".vault.azure.net")
    return {
        "connection_verify": os.environ.get("ADCP_TEST_AZURE_KEY_VAULT_CA", True),
        # Elsewhere the challenge still names Azure.
        "verify_challenge_resource": azure,
        "retry_total": 0,
    }


def connect(token=TOKEN):
    return KeyClient(URL, Bearer(token), **options())


def signer(key_id):
    """By the URL of a key, so that the client fetches it first."""
    return CryptographyClient(key_id, Bearer(TOKEN), **options())


def expect(status, code, inner, call, what):
    """An inner code is one of those in the tuple, if it is one."""
    try:
        call()
    except HttpResponseError as refusal:
        error = refusal.response.json()["error"]
        answered = (refusal.status_code, error["code"], error.get("innererror", {}).get("code"))
        assert answered[:2] == (status, code), f"{what} was answered {answered}"
        inners = inner if isinstance(inner, tuple) else (inner,)
        assert inner is ANY or answered[2] in inners, f"{what} was answered {answered}"
        return
    raise AssertionError(f"{what} was not refused")


def verify(key, algorithm, signature):
    """With nothing of Microsoft's but the members of the key."""
    number = lambda member: int.from_bytes(member, "big")
    if algorithm == SignatureAlgorithm.es256:
        public = ec.EllipticCurvePublicNumbers(number(key.x), number(key.y), ec.SECP256R1())
        assert len(signature) == 64
        der = encode_dss_signature(number(signature[:32]), number(signature[32:]))
        public.public_key().verify(der, MESSAGE, ec.ECDSA(hashes.SHA256()))
    else:
        public = rsa.RSAPublicNumbers(number(key.e), number(key.n))
        pss = padding.PSS(mgf=padding.MGF1(hashes.SHA512()), salt_length=64)
        public.public_key().verify(signature, MESSAGE, pss, hashes.SHA512())


def verify_remotely(client, key, algorithm, digest, signature):
    """The client verifies by itself when it has the public key, so the server has to be asked for it."""
    encode = lambda raw: base64.urlsafe_b64encode(raw).decode().rstrip("=")
    body = {"alg": algorithm, "digest": encode(digest), "value": encode(signature)}
    path = f"/keys/{key.name}/{key.properties.version}/verify"
    response = client.send_request(HttpRequest("POST", path, json=body))
    response.raise_for_status()
    return response.json()["value"]


def create(client, algorithm):
    name = f"python-{uuid.uuid4()}"
    operations = ["sign", "verify"]
    if algorithm == SignatureAlgorithm.es256:
        return client.create_ec_key(name, curve="P-256", key_operations=operations)
    return client.create_rsa_key(name, size=2048, key_operations=operations)


def check_versions(client, key, algorithm):
    rotated = client.rotate_key(key.name)
    assert rotated.properties.version != key.properties.version
    assert client.get_key(key.name).id == rotated.id
    assert client.get_key(key.name, key.properties.version).id == key.id
    versions = {version.id for version in client.list_properties_of_key_versions(key.name)}
    assert versions == {key.id, rotated.id}, versions
    assert key.name in {listed.name for listed in client.list_properties_of_keys()}
    for asked, signed in [(key.id, key.id), (key.id.rsplit("/", 1)[0], rotated.id)]:
        assert signer(asked).sign(algorithm, DIGESTS[algorithm]).key_id == signed


def check_refusals(client, key, algorithm):
    [other] = [other for other in DIGESTS if other != algorithm]
    signing = signer(key.id)
    sign = lambda: signing.sign(algorithm, DIGESTS[algorithm])
    expect(400, "BadParameter", None, lambda: signing.sign(other, DIGESTS[other]), "another key's algorithm")
    expect(400, "BadParameter", None, lambda: signing.sign(algorithm, DIGESTS[algorithm][1:]), "a short digest")
    expect(400, "BadParameter", None, lambda: client.create_key("python-okp", "OKP"), "an Ed25519 key")
    missing = signer(f"{URL.rstrip('/')}/keys/{key.name}/{NO_VERSION}")
    expect(404, "KeyNotFound", None, lambda: missing.sign(algorithm, DIGESTS[algorithm]), "a missing version")

    def update(**changes):
        client.update_key_properties(key.name, key.properties.version, **changes)

    update(enabled=False)
    expect(403, "Forbidden", "KeyDisabled", sign, "a disabled version")
    update(enabled=True, key_operations=["verify"])
    expect(403, "Forbidden", "KeyOperationForbidden", sign, "a key that may not sign")
    update(key_operations=["sign", "verify"])
    sign()


def check_validity(client, key, algorithm):
    # Without the dates, which the client would look at by itself.
    sign = lambda: signer(key.id).sign(algorithm, DIGESTS[algorithm])
    now = datetime.now(timezone.utc)
    for hours, state in [(1, "not yet valid"), (-2, "expired")]:
        start = now + timedelta(hours=hours)
        window = {"not_before": start, "expires_on": start + timedelta(hours=1)}
        client.update_key_properties(key.name, key.properties.version, **window)
        # The reference names no inner code.
        expect(403, "Forbidden", ANY, sign, f"a version that is {state}")
    window = {"not_before": now - timedelta(hours=1), "expires_on": now + timedelta(hours=1)}
    client.update_key_properties(key.name, key.properties.version, **window)
    sign()


def check_import(client, algorithm):
    """A key of ours signs there as it does here."""
    member = lambda number, length=None: number.to_bytes(length or (number.bit_length() + 7) // 8, "big")
    if algorithm == SignatureAlgorithm.es256:
        private = ec.generate_private_key(ec.SECP256R1())
        numbers = private.private_numbers()
        public = numbers.public_numbers
        members = {"x": member(public.x, 32), "y": member(public.y, 32), "d": member(numbers.private_value, 32)}
        jwk = JsonWebKey(kty="EC", crv="P-256", key_ops=["sign", "verify"], **members)
    else:
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        numbers = private.private_numbers()
        public = numbers.public_numbers
        members = {"n": public.n, "e": public.e, "d": numbers.d, "p": numbers.p, "q": numbers.q}
        members.update(dp=numbers.dmp1, dq=numbers.dmq1, qi=numbers.iqmp)
        members = {name: member(number) for name, number in members.items()}
        jwk = JsonWebKey(kty="RSA", key_ops=["sign", "verify"], **members)
    imported = client.import_key(f"python-{uuid.uuid4()}", jwk)
    verify(jwk, algorithm, signer(imported.id).sign(algorithm, DIGESTS[algorithm]).signature)


def check_deletion(client, algorithm):
    key = create(client, algorithm)
    deletion = client.begin_delete_key(key.name)
    assert deletion.result().recovery_id.endswith(f"/deletedkeys/{key.name}")
    deletion.wait()
    expect(404, "KeyNotFound", None, lambda: client.get_key(key.name), "a deleted key")
    taken = "ObjectIsDeletedButRecoverable"
    expect(409, "Conflict", taken, lambda: client.create_ec_key(key.name), "a deleted key's name")
    client.purge_deleted_key(key.name)
    expect(404, "KeyNotFound", None, lambda: client.get_deleted_key(key.name), "a purged key")


def check_access(key):
    expect(401, "Unauthorized", None, lambda: connect("another-token").get_key(key.name), "another token")
    if DENIED_TOKEN:
        denied = lambda: connect(DENIED_TOKEN).get_key(key.name)
        expect(403, "Forbidden", ("ForbiddenByRbac", "ForbiddenByPolicy"), denied, "a token without a role")


def check(client, algorithm):
    key = create(client, algorithm)
    digest = DIGESTS[algorithm]
    signed = signer(key.id).sign(algorithm, digest)
    assert signed.key_id == key.id
    verify(key.key, algorithm, signed.signature)
    assert signer(key.id).verify(algorithm, digest, signed.signature).is_valid
    assert verify_remotely(client, key, algorithm, digest, signed.signature) is True
    damaged = bytes([digest[0] ^ 1]) + digest[1:]
    assert verify_remotely(client, key, algorithm, damaged, signed.signature) is False

    check_versions(client, key, algorithm)
    check_import(client, algorithm)
    if "tokens" not in LACKS:
        check_access(key)
    if "refusals" not in LACKS:
        check_refusals(client, key, algorithm)
        check_deletion(client, algorithm)
    if "validity" not in LACKS:
        check_validity(client, key, algorithm)
    return {
        "algorithm": algorithm.value,
        "kid": key.id,
        "message": base64.b64encode(MESSAGE).decode(),
        "signature": base64.b64encode(signed.signature).decode(),
    }


def main():
    client = connect()
    for algorithm in DIGESTS:
        print(json.dumps(check(client, algorithm)), flush=True)


if __name__ == "__main__":
    sys.exit(main())
