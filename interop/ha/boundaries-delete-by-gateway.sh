#!/usr/bin/env bash
# seconds 120
. "$(dirname "$0")/../pair.sh"
. "$(dirname "$0")/../boundaries.sh"
story 'The active node is killed at each boundary of its request of INFORMATIONAL, by which it ends an IKE SA: the client comes back.'

end() {
	gateway_terminate 2>/dev/null || true
	wait_for 8 'the end of the IKE SA at the client' client_has ike 0 || [[ $BOUNDARY == before-replicate ]] || return 1
	client_has ike 1 || client_up
}
boundary_story INFORMATIONAL end
