#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pki.sh"
. "$(dirname "$0")/../eap.sh"
story 'Whoever fails too often from one address is refused without a look; others are served.'

eap_gateway
client_start
# Ten are allowed, and the more the slower they come.
guesses=0
until ((guesses > 10)) && gateway_log | grep -q 'too many wrong passwords'; do
	((++guesses <= 30)) || break
	eap_client bob@example.org wrong
	expect_refused
done
expect_log gateway 'too many wrong passwords of user .bob@example.org.'
eap_client bob@example.org builder
expect_refused
eap_client alice wonderland vips=0.0.0.0
expect_up
