"""Google's own client, over REST, signs with new keys of the server under test and verifies what it signed.

Prints one JSON line per algorithm, with what it signed, for the caller to verify on its own.
"""

import base64
import hashlib
import json
import os
import sys
import time
import uuid
from urllib.parse import urlsplit

import google_crc32c
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from google.api_core import exceptions
from google.cloud import kms_v1
from google.cloud.kms_v1.services.key_management_service.transports.rest import (
    KeyManagementServiceRestTransport,
)
from google.oauth2.credentials import Credentials

MESSAGE = b"a signature base"
RING = "adcp-signing-tests"
ALGORITHMS = ["EC_SIGN_ED25519", "EC_SIGN_P256_SHA256", "RSA_SIGN_PSS_4096_SHA512"]


def crc32c(data):
    return int.from_bytes(google_crc32c.Checksum(data).digest(), "big")


def connect():
    endpoint = urlsplit(os.environ["ADCP_TEST_GCP_KMS_ENDPOINT"])
    transport = KeyManagementServiceRestTransport(
        host=endpoint.netloc,
        url_scheme=endpoint.scheme,
        credentials=Credentials(token=os.environ["ADCP_TEST_GCP_KMS_TOKEN"]),
    )
    return kms_v1.KeyManagementServiceClient(transport=transport)


def create_version(client, ring, algorithm):
    key = client.create_crypto_key(
        request={
            "parent": ring,
            "crypto_key_id": f"python-{uuid.uuid4()}",
            "crypto_key": {
                "purpose": kms_v1.CryptoKey.CryptoKeyPurpose.ASYMMETRIC_SIGN,
                "version_template": {
                    "algorithm": kms_v1.CryptoKeyVersion.CryptoKeyVersionAlgorithm[algorithm]
                },
            },
        }
    )
    name = f"{key.name}/cryptoKeyVersions/1"
    enabled = kms_v1.CryptoKeyVersion.CryptoKeyVersionState.ENABLED
    deadline = time.monotonic() + 60
    while client.get_crypto_key_version(name=name).state != enabled:
        assert time.monotonic() < deadline, "the key version was not generated in time"
        time.sleep(0.05)
    return name


def signing_request(name, algorithm):
    if algorithm == "EC_SIGN_ED25519":
        return {"name": name, "data": MESSAGE, "data_crc32c": crc32c(MESSAGE)}
    hash_name = "sha256" if algorithm == "EC_SIGN_P256_SHA256" else "sha512"
    digest = hashlib.new(hash_name, MESSAGE).digest()
    return {"name": name, "digest": {hash_name: digest}, "digest_crc32c": crc32c(digest)}


def verify(algorithm, pem, signature):
    key = serialization.load_pem_public_key(pem.encode())
    if algorithm == "EC_SIGN_ED25519":
        key.verify(signature, MESSAGE)
    elif algorithm == "EC_SIGN_P256_SHA256":
        key.verify(signature, MESSAGE, ec.ECDSA(hashes.SHA256()))
    else:
        pss = padding.PSS(mgf=padding.MGF1(hashes.SHA512()), salt_length=64)
        key.verify(signature, MESSAGE, pss, hashes.SHA512())


def expect(status, call, what):
    """Over REST the client's exceptions tell the HTTP status only; the answer itself has the code."""
    try:
        call()
    except exceptions.GoogleAPICallError as refusal:
        answered = refusal.response.json()["error"]["status"]
        assert answered == status, f"{what} was answered {answered}, not {status}"
        return
    raise AssertionError(f"{what} was not refused")


def check(client, ring, algorithm):
    name = create_version(client, ring, algorithm)
    public_key = client.get_public_key(name=name)
    assert public_key.name == name
    assert public_key.pem_crc32c == crc32c(public_key.pem.encode())
    assert public_key.algorithm == kms_v1.CryptoKeyVersion.CryptoKeyVersionAlgorithm[algorithm]

    request = signing_request(name, algorithm)
    reply = client.asymmetric_sign(request=request)
    assert reply.name == name
    assert reply.verified_data_crc32c or reply.verified_digest_crc32c
    assert reply.signature_crc32c == crc32c(reply.signature)
    verify(algorithm, public_key.pem, reply.signature)

    checksum = next(field for field in request if field.endswith("crc32c"))
    damaged = dict(request, **{checksum: request[checksum] ^ 1})
    expect("INVALID_ARGUMENT", lambda: client.asymmetric_sign(request=damaged), "a wrong checksum")
    wrong = {"name": name, "digest": {"sha384": bytes(48)}}
    expect("INVALID_ARGUMENT", lambda: client.asymmetric_sign(request=wrong), "a SHA-384 digest")
    missing = dict(request, name=name[:-1] + "99")
    expect("NOT_FOUND", lambda: client.asymmetric_sign(request=missing), "a missing version")

    state = kms_v1.CryptoKeyVersion.CryptoKeyVersionState
    for wanted in (state.DISABLED, state.ENABLED):
        client.update_crypto_key_version(
            crypto_key_version={"name": name, "state": wanted}, update_mask={"paths": ["state"]}
        )
        if wanted == state.DISABLED:
            expect(
                "FAILED_PRECONDITION",
                lambda: client.asymmetric_sign(request=request),
                "a disabled version",
            )
    client.asymmetric_sign(request=request)
    return {
        "algorithm": algorithm,
        "name": name,
        "message": base64.b64encode(MESSAGE).decode(),
        "signature": base64.b64encode(reply.signature).decode(),
    }


def main():
    client = connect()
    parent = os.environ["ADCP_TEST_GCP_KMS_PARENT"]
    try:
        client.create_key_ring(request={"parent": parent, "key_ring_id": RING, "key_ring": {}})
    except exceptions.Conflict:
        pass
    for algorithm in ALGORITHMS:
        print(json.dumps(check(client, f"{parent}/keyRings/{RING}", algorithm)), flush=True)


if __name__ == "__main__":
    sys.exit(main())
