# What the commands of a guide find in their shell. CHECKOUT is this work tree, TARGET where cargo
# writes, PORT a free port.

# As on a terminal.
exec 2>&1

trap 'kill $(jobs -p) 2>/dev/null || true' EXIT

# The guides run cargo in a checkout, which is not where their files are.
cargo() {
    case "$1 $2" in
        "run --") adcp-signing "${@:3}" ;;
        # In the background it has to be the program itself, so that `kill $!` ends it.
        "run -p")
            [ "$BASH_SUBSHELL" -gt 0 ] || { echo "cargo run -p: not in the background" >&2; return 1; }
            exec cargo run --quiet --manifest-path "$CHECKOUT/Cargo.toml" "${@:2}"
            ;;
        # The tests build this program anyway: only look for the path and the features.
        "install --locked")
            [ "$3" = --path ] || { echo "cargo install: --path does not come first" >&2; return 1; }
            command cargo tree --locked --depth 0 --manifest-path "$CHECKOUT/$4/Cargo.toml" "${@:5}"
            ;;
        "add "*) command cargo "$@" ;;
        *) echo "cargo $1 $2: not known to the test of the guides" >&2; return 1 ;;
    esac
}

# A development server of OpenBao that nobody else has changed, with the root token `root`.
openbao() {
    bao server -dev -dev-no-store-token -dev-root-token-id=root \
        -dev-listen-address="127.0.0.1:$PORT" >openbao.log 2>&1 &
    until bao status -address="http://127.0.0.1:$PORT" >/dev/null 2>&1; do sleep 0.1; done
}

# The AWS command line, from PyPI. Its version 1 does not read AWS_REGION.
aws_cli() {
    local venv="$TARGET/guides-aws-cli-1.45.11"
    {
        flock 9
        [ -e "$venv/installed" ] || {
            python3 -m venv --clear "$venv"
            "$venv/bin/pip" install --quiet --disable-pip-version-check awscli==1.45.11
            touch "$venv/installed"
        }
    } 9>"$venv.lock"
    PATH="$venv/bin:$PATH"
    export AWS_ENDPOINT_URL_KMS="$ADCP_TEST_MINISTACK_ENDPOINT" AWS_DEFAULT_REGION="$AWS_REGION"
}

# A new token of SoftHSM with a key, as docs/backends/pkcs11.md makes it.
softhsm() {
    mkdir -m 700 tokens
    printf 'directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\n' \
        "$PWD" >softhsm2.conf
    export SOFTHSM2_CONF="$PWD/softhsm2.conf" MODULE="$ADCP_TEST_PKCS11_MODULE" PIN=0123456789
    (umask 077; printf %s "$PIN" >user.pin)
    softhsm2-util --init-token --free --label adcp --pin "$PIN" --so-pin "$PIN"
    pkcs11-tool --module "$MODULE" --token-label adcp --login --pin env:PIN \
        --keypairgen --key-type EC:edwards25519 --usage-sign --label req-2026-11 --id 01
    OLD="pkcs11:token=adcp;object=req-2026-11?module-path=$MODULE&pin-source=file:$PWD/user.pin"
    OLD="$OLD&alg=ed25519&kid=req-2026-11"
}

# The fake of Azure Key Vault with a key `buyer` of this many versions, whose identifiers go into
# KIDS.
fake_azure_key_vault() {
    cargo run -p adcp-signing-fakes --bin fake-azure-key-vault -- \
        --port "$PORT" --ca-file fake.pem >fake.log 2>&1 &
    until [ -s fake.pem ]; do sleep 0.1; done
    export ADCP_AZURE_KEY_VAULT_CA_FILE="$PWD/fake.pem"
    export ADCP_AZURE_KEY_VAULT_ACCESS_TOKEN=fake-azure-token
    KIDS=()
    while [ "${#KIDS[@]}" -lt "$1" ]; do
        KIDS+=("$(curl -sS --fail --retry 9 --retry-connrefused --cacert fake.pem \
            -H 'authorization: Bearer fake-azure-token' -H 'content-type: application/json' \
            -d '{"kty":"EC","crv":"P-256","key_ops":["sign","verify"]}' \
            "https://127.0.0.1:$PORT/keys/buyer/create?api-version=7.4" |
            python3 -c 'import json, sys; print(json.load(sys.stdin)["key"]["kid"])')")
    done
}

# The fake of Google Cloud KMS with the key `buyer` of the guides, which has this many versions.
fake_gcp_kms() {
    cargo run -p adcp-signing-fakes --bin fake-gcp-kms -- \
        --port "$PORT" --project ads-prod >fake.log 2>&1 &
    export ADCP_GCP_KMS_ENDPOINT="http://127.0.0.1:$PORT" ADCP_GCP_KMS_ACCESS_TOKEN=fake-gcp-token
    local ring=v1/projects/ads-prod/locations/europe-west1/keyRings version
    gcp_call "$ring?keyRingId=adcp" -d '{}'
    gcp_call "$ring/adcp/cryptoKeys?cryptoKeyId=buyer" -d '{"purpose":"ASYMMETRIC_SIGN",
        "versionTemplate":{"algorithm":"EC_SIGN_ED25519"}}'
    for version in $(seq 1 "$1"); do
        [ "$version" = 1 ] || gcp_call "$ring/adcp/cryptoKeys/buyer/cryptoKeyVersions" -d '{}'
        until gcp_call "$ring/adcp/cryptoKeys/buyer/cryptoKeyVersions/$version" | grep -q '"ENABLED"'
        do sleep 0.1; done
    done
}

gcp_call() {
    curl -sS --fail --retry 9 --retry-connrefused -H 'authorization: Bearer fake-gcp-token' \
        -H 'content-type: application/json' "${@:2}" "$ADCP_GCP_KMS_ENDPOINT/$1"
}
