# build/bench/ike.runs (one object a line, slurped) -> the table of build/bench/ike.json. $peer, $tunnels.

def median: sort | if length == 0 then null elif length % 2 == 1 then .[length / 2 | floor]
	else (.[length / 2 - 1] + .[length / 2]) / 2 end;
def rounded: if . == null then null else . * 100 | round / 100 end;

. as $runs
| def cost($of; $job; $up): [$runs[] | select(.of == $of and .job == $job and ($up == null or .up_before == $up) and .failed == 0)
	| .cpu_us_each] | median;
  def idle($of): [$runs[] | select(.of == $of and .job == "idle") | .pss_kb] | median;
  # Growth from no tunnel to the most that there were. Not from the idle process: what it shares with gw-load counts by
  # half from the moment on at which that starts.
  def per_tunnel($of): [$runs[] | select(.of == $of and .job == "up")]
	| ([.[] | .up_after] | max) as $most
	| ([.[] | select(.up_before == 0) | .pss_kb_before] | median) as $none
	| ([.[] | select(.up_after == $most) | .pss_kb_after] | median)
	| if . == null or $none == null then null else (. - $none) / $most end;
  def primitive($name): [$runs[] | select(.of == "machine") | .[$name]] | median;
  # Measured in other runs, by others: shared/BASELINE.md.
  def quoted($name; $value): {reference: {name: $name, value: $value, quoted: true}};
  def noop($value): quoted("strongSwan 6.0.6, no-op kernel backend"; $value);
  def row($measure; $unit; $value; $theirs): {measure: $measure, value: ($value | rounded), unit: $unit,
	peer: {name: $peer, value: ($theirs | rounded)}};
  def at_most($goal; $why): . + {goal_value: $goal, goal: "<= \($goal)", met: (if .value == null then null else .value <= $goal end)}
	| if .met == false then . + {why: $why} else . end;
  def within($factor; $base): . + {goal: "<= \($factor) x the cost at 100 tunnels (\($base | rounded))",
	met: (if .value == null or $base == null then null else .value <= $factor * $base end)}
	| if .met == false then . + {why: "\(.value / $base | rounded) x measured"} else . end;
  # What OpenSSL alone took for the key operations in this run, and how many times that a handshake is. $was: what it took
  # where the goal was set, so that the goal can be asked of this machine, too.
  def above($name; $was): primitive($name) as $us | if .value == null or $us == null then . else
	.floor = {what: "the public key operations by OpenSSL alone, in the same run", value: ($us | rounded),
		ratio: (.value / $us | rounded), where_the_goal_was_set: $was}
	| if .goal_value then .floor += {goal: "<= \(.goal_value / $was | rounded) x", met: (.value / $us <= .goal_value / $was)} else . end end
	| del(.goal_value);
  (primitive("derive_us") | rounded) as $derive
| "an x25519 derivation took \($derive) us in this run, 28 where the goal was set" as $speed
| ["\($tunnels)"] as [$n]
| "\($speed); two key operations and two round trips of system calls are the floor" as $floor
| {name: "ike", x25519_derivation_us: $derive, planes: ["fake", "userspace"], tunnels: $tunnels, results: [
	(row("handshake at 100 tunnels, PSK + x25519, fake plane"; "us CPU of the responder"; cost("fake"; "up"; 100); cost("charon"; "up"; 100))
		+ noop(250) | at_most(100; $floor) | above("psk_us"; 52)),
	(row("handshake at 100 tunnels, PSK + x25519, userspace plane"; "us CPU of the responder"; cost("userspace"; "up"; 100); cost("charon"; "up"; 100))
		+ quoted("strongSwan 6.0.6 kernel-libipsec, first 1,000"; 496) | at_most(130; $floor)),
	(row("handshake at \($n) tunnels, fake plane"; "us CPU of the responder"; cost("fake"; "up"; $tunnels); cost("charon"; "up"; $tunnels))
		+ noop(252) | within(1.1; cost("fake"; "up"; 100))),
	(row("handshake at \($n) tunnels, userspace plane"; "us CPU of the responder"; cost("userspace"; "up"; $tunnels); cost("charon"; "up"; $tunnels))
		+ quoted("strongSwan 6.0.6 kernel-libipsec"; 12712) | within(1.1; cost("userspace"; "up"; 100))),
	(row("memory per tunnel, fake plane"; "kB PSS"; per_tunnel("fake"); per_tunnel("charon"))
		+ noop(14.6) | at_most(3; "see the single runs")),
	(row("memory per tunnel, userspace plane"; "kB PSS"; per_tunnel("userspace"); per_tunnel("charon"))
		+ quoted("strongSwan 6.0.6 kernel-libipsec"; 22.2) | at_most(5; "see the single runs")),
	(row("idle daemon, fake plane"; "kB PSS"; idle("fake"); idle("charon"))
		+ quoted("strongSwan 6.0.6"; 7200) | at_most(3072; "shared libraries are counted in full where nobody else has them")),
	row("idle daemon, userspace plane"; "kB PSS"; idle("userspace"); idle("charon")),
	(row("liveness answered"; "us CPU of the responder"; cost("fake"; "probe"; null); cost("charon"; "probe"; null))
		+ noop(44) | at_most(12; $speed)),
	(row("CHILD rekey without PFS, with the DELETE of the old one"; "us CPU of the responder"; cost("fake"; "child"; null); cost("charon"; "child"; null))
		+ noop(130) | at_most(35; "\($speed); it is two exchanges")),
	(row("IKE rekey x25519, with the DELETE of the old one"; "us CPU of the responder"; cost("fake"; "ike"; null); cost("charon"; "ike"; null))
		+ noop(214) | at_most(75; $floor)),
	(row("handshake at 100 tunnels, ECDSA P-256 certificates + x25519, fake plane"; "us CPU of the responder"; cost("certs"; "up"; 100); cost("charon-certs"; "up"; 100))
		+ noop(857) | at_most(215; "\($speed); two signatures to verify, one to make and two key operations are the floor")
		| above("certs_us"; 153.5)),
	(row("handshake at 100 tunnels, EAP-MSCHAPv2, our certificate ECDSA P-256, x25519, fake plane"; "us CPU of the responder"; cost("eap"; "up"; 100); null)
		| above("eap_us"; 68.5)),
	(row("the same beyond the certificate's signature"; "us CPU of the responder"; (cost("eap"; "up"; 100) as $all | if $all then $all - primitive("sign_us") else null end); null)
		| at_most(130; $speed) | above("psk_us"; 52)),
	(row("memory per tunnel with EAP-MSCHAPv2, fake plane"; "kB PSS"; per_tunnel("eap"); null)),
	(row("memory per tunnel with certificates, fake plane"; "kB PSS"; per_tunnel("certs"); per_tunnel("charon-certs"))
		+ noop(21) | at_most(4; "see the single runs")),
	row("CHILD rekey without PFS, userspace plane"; "us CPU of the responder"; cost("userspace"; "child"; null); cost("charon"; "child"; null))
] | map(del(.goal_value))}
