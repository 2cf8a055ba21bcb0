package settings

// LogKeys are the keys of the log, the same for every program.
func LogKeys[C any](level, format func(*C) *string) []Key[C] {
	return []Key[C]{
		{Name: "log.level", Flag: "log-level", Group: "Log", Arg: "LEVEL", Help: "debug, info, warn or error",
			Value: Choice(level, "debug", "info", "warn", "error")},
		{Name: "log.format", Flag: "log-format", Group: "Log", Arg: "FORMAT", Help: "text or json",
			Value: Choice(format, "text", "json")},
	}
}
