#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
story 'The client is told name servers, NBNS and networks of the pool, and takes all of it without complaint.'

gateway_start
yaml=$RIG/gateway/gateway.yaml
sed -i 's/dns: \[10.1.0.1\]/dns: [10.1.0.1, "fd01::1"], nbns: [10.1.0.2], subnets: [10.1.0.0\/24], domains: [corp.example.org]/' "$yaml"
gateway_ctl reload >/dev/null
client_start
client_configure vips=0.0.0.0 remote_ts=10.1.0.0/24
expect_up
expect_flow v4
expect_log client 'CPRP\(ADDR MASK DNS DNS6 NBNS SUBNET\)'
