#!/usr/bin/env bash
# seconds 120
. "$(dirname "$0")/../pair.sh"
. "$(dirname "$0")/../boundaries.sh"
. "$(dirname "$0")/../pki.sh"
story 'The active node is killed at each boundary of its answer to IKE_AUTH with certificates on both sides: the client gets its tunnel at the first try, and only one.'

pki_ca ca
pki_cert gw ca san=DNS:gw.example.org eku=serverAuth
pki_cert carol ca san=email:carol@example.org eku=clientAuth
chmod 600 "$PKI/gw.key"
PAIR_TOP="certificates: {gw: {cert: $PKI/gw.pem, key: $PKI/gw.key}}
authorities: {ca: {file: $PKI/ca.pem}}"
PAIR_LOCAL='{id: gw.example.org, auth: cert, certificates: [gw]}'
PAIR_CONN='remote: {auth: [cert], authorities: [ca]}'
boundaries_pair IKE_AUTH
client_start
CONFIGURE='pki_client carol ca'
boundaries IKE_AUTH connect
