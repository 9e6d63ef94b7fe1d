package alerts

import "time"

// Series begin at 0, with a sample a minute; "_" is none. An uploader that is well says each
// minute that it is.
var backups = []story{{
	name: "all is well", file: "backup.yml", lasts: 4 * time.Hour,
	load: `load 1m
  towpath_backup_every_seconds{cluster="prod",instance="a"} 60x240
  towpath_backup_every_seconds{cluster="prod",instance="b"} 60x240
  towpath_backup_durable_time_seconds{cluster="prod",instance="a"} 0+60x240
  towpath_backup_verified_time_seconds{cluster="prod",instance="a"} 0x240
  towpath_backup_alarms_total{cluster="prod",alarm="gap",instance="a"} 0x240
`,
}, {
	// The process has found the gap before it was asked for anything: its counter is at one
	// from the first scrape on.
	name: "a gap when it starts", file: "backup.yml", lasts: 2 * time.Hour,
	load: `load 1m
  towpath_backup_every_seconds{cluster="prod",instance="a"} _x10 60x110
  towpath_backup_durable_time_seconds{cluster="prod",instance="a"} _x10 600+60x110
  towpath_backup_alarms_total{cluster="prod",alarm="gap",instance="a"} _x10 1x110
  towpath_backup_alarm_time_seconds{cluster="prod",alarm="gap",instance="a"} _x10 590x110
`,
	fires: []string{"BackupGap prod from 10m to 1h10m"},
}, {
	name: "a gap, and the uploader is gone right after", file: "backup.yml", lasts: 80 * time.Minute,
	load: `load 1m
  towpath_backup_every_seconds{cluster="prod",instance="a"} 60x12 _x10 60x60
  towpath_backup_durable_time_seconds{cluster="prod",instance="a"} 0+60x12 _x10 1380+60x60
  towpath_backup_alarm_time_seconds{cluster="prod",alarm="gap",instance="a"} _x9 540x3 _x100
`,
	fires: []string{"BackupGap prod from 9m to 1h9m"},
}, {
	// Who lost the seat says for ever what it said last.
	name: "a handover", file: "backup.yml", lasts: 50 * time.Hour,
	load: `load 1m
  towpath_backup_every_seconds{cluster="prod",instance="a"} 60x3000
  towpath_backup_every_seconds{cluster="prod",instance="b"} 60x3000
  towpath_backup_durable_time_seconds{cluster="prod",instance="a"} 0+60x30 1800x2970
  towpath_backup_durable_time_seconds{cluster="prod",instance="b"} _x31 1860+60x2969
  towpath_backup_verified_time_seconds{cluster="prod",instance="a"} 0x3000
  towpath_backup_verified_time_seconds{cluster="prod",instance="b"} _x31 0x1000 81600x2000
`,
}, {
	name: "nobody goes on", file: "backup.yml", lasts: time.Hour,
	load: `load 1m
  towpath_backup_every_seconds{cluster="prod",instance="a"} 60x60
  towpath_backup_every_seconds{cluster="prod",instance="b"} 60x60
  towpath_backup_durable_time_seconds{cluster="prod",instance="a"} 0+60x10 600x50
  towpath_backup_durable_time_seconds{cluster="prod",instance="b"} 0x60
`,
	fires: []string{"BackupBehind prod from 18m"},
}, {
	name: "uploads every ten minutes, and then none", file: "backup.yml", lasts: 3 * time.Hour,
	load: `load 1m
  towpath_backup_every_seconds{cluster="slow"} 600x180
  towpath_backup_durable_time_seconds{cluster="slow"} 0x9 600x9 1200x9 1800x9 2400x9 3000x9 3600x9 4200x9 4800x100
`,
	// Half an hour and two minutes after the last one, and for two minutes.
	fires: []string{"BackupBehind slow from 1h55m"},
}, {
	// One of two clusters is never reached, by any uploader; the other one's is gone later.
	name: "of several clusters one is missing", file: "backup.yml", lasts: 2 * time.Hour,
	load: `load 1m
  towpath_backup_every_seconds{cluster="prod"} 60x120
  towpath_backup_every_seconds{cluster="test"} 60x120
  towpath_backup_every_seconds{cluster="gone"} 60x30
  towpath_backup_durable_time_seconds{cluster="prod"} 0+60x120
  towpath_backup_durable_time_seconds{cluster="gone"} 0+60x30
`,
	fires: []string{"BackupAbsent gone from 45m", "BackupAbsent test from 10m"},
}, {
	name: "no uploader at all", file: "backup.yml", lasts: time.Hour, load: `load 1m
  up 1x60
`,
	fires: []string{"BackupsAbsent from 10m"},
}, {
	name: "one proof that differs", file: "backup.yml", lasts: 30 * time.Hour,
	load: `load 1m
  towpath_backup_every_seconds{cluster="prod"} 60x1800
  towpath_backup_durable_time_seconds{cluster="prod"} 0+60x1800
  towpath_backup_alarm_time_seconds{cluster="prod",alarm="verify"} _x60 3600x1740
`,
	fires: []string{"BackupDiffers prod from 1h to 1d1h"},
}, {
	name: "nothing is verified any more", file: "backup.yml", lasts: 40 * time.Hour,
	load: `load 1m
  towpath_backup_every_seconds{cluster="prod"} 60x2400
  towpath_backup_durable_time_seconds{cluster="prod"} 0+60x2400
  towpath_backup_verified_time_seconds{cluster="prod"} 0x2400
`,
	fires: []string{"BackupNotVerified prod from 1d13h1m"},
}, {
	name: "an uploader with other recipients, for two hours", file: "backup.yml", lasts: 5 * time.Hour,
	load: `load 1m
  towpath_backup_every_seconds{cluster="prod"} 60x300
  towpath_backup_durable_time_seconds{cluster="prod"} 0+60x300
  towpath_backup_alarm_time_seconds{cluster="prod",alarm="readers"} _x11 660x60 4260x229
`,
	fires: []string{"BackupReaders prod from 11m to 2h41m"},
}, {
	name: "care fails once, and bases again and again", file: "backup.yml", lasts: 5 * time.Hour,
	load: `load 1m
  towpath_backup_every_seconds{cluster="prod"} 60x300
  towpath_backup_durable_time_seconds{cluster="prod"} 0+60x300
  towpath_backup_alarm_time_seconds{cluster="prod",alarm="care"} _x11 660x289
  towpath_backup_alarm_time_seconds{cluster="prod",alarm="base"} _x11 660x60 4260x60 7860x60 11460x109
`,
	fires: []string{"BackupUntidy base prod from 2h11m to 4h41m"},
}}
