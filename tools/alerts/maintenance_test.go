package alerts

import "time"

var maintenance = []story{{
	name: "a seat that moves", file: "maintenance.yml", lasts: 3 * time.Hour,
	load: `load 1m
  towpath_maintain_holds_seat{instance="a"} 1x60 0x120
  towpath_maintain_holds_seat{instance="b"} 0x62 1x118
  towpath_maintain_last_look_timestamp_seconds{instance="a"} 0+60x60 3600x120
  towpath_maintain_last_look_timestamp_seconds{instance="b"} 0+60x180
  towpath_maintain_waiting{about="floor",instance="a"} 1x60 0x120
`,
}, {
	name: "who looks after it dies", file: "maintenance.yml", lasts: time.Hour,
	load: `load 1m
  towpath_maintain_holds_seat 1x10
  towpath_maintain_last_look_timestamp_seconds 0+60x10
`,
	fires: []string{"MaintainerAbsent from 25m"},
}, {
	name: "a store that is full", file: "maintenance.yml", lasts: time.Hour,
	load: `load 1m
  towpath_maintain_holds_seat 1x60
  towpath_maintain_last_look_timestamp_seconds 0+60x60
  towpath_maintain_alarm{about="full",instance="a"} 0x10 1x10 0x40
  towpath_maintain_alarm{about="full",instance="b"} 0x10 1x10 0x40
  towpath_maintain_quota_used_ratio{member="m1",instance="a"} 0.8x60
`,
	fires: []string{"StoreFilling m1 from 10m", "StoreFull full from 12m to 22m"},
}, {
	// A counter begins with its first failure, which therefore is not counted.
	name: "defragmentation fails each quarter of an hour", file: "maintenance.yml", lasts: 3 * time.Hour,
	load: `load 1m
  towpath_maintain_holds_seat 1x180
  towpath_maintain_last_look_timestamp_seconds 0+60x180
  towpath_maintain_steps_total{do="defragment",outcome="failed"} _x10 1x10 2x10 3x10 4x10 5x130
`,
	fires: []string{"MaintenanceFails defragment from 43m to 1h31m"},
}}
