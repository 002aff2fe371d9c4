#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pki.sh"
story 'The client signs with RSA-PSS, and then so do we; one that signs with PKCS#1 v1.5 gets that.'

pki_ca ca key=rsa2048
pki_cert gw ca key=rsa2048 san=DNS:gw.example.org eku=serverAuth
pki_cert alice ca key=rsa2048 san=email:alice@example.org
pki_gateway gw ca
client_start
pki_client alice ca auth=rsa/pss-sha256
expect_up
expect_flow v4
expect_log client "authentication of 'gw.example.org' with RSA_EMSA_PSS_SHA2_256.* successful"
client_down
pki_client alice ca auth=rsa-sha512
expect_up
expect_log client "authentication of 'gw.example.org' with RSA_EMSA_PKCS1_SHA2_256 successful"
