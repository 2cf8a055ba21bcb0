package main

import (
	"github.com/urfave/cli/v2"
)

func teeCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "tee", Category: "experiment", Usage: "try it on a shadow that is fed with live traffic",
		UsageText: "pushctl tee run|start|stop|status|record|replay|inspect|report",
		Description: `A share of the users of a node is mirrored, whole connections with all they do and all they are sent, to a shadow: a node that nobody else uses, best started with pushd --shadow. Production never waits for it.

  pushctl tee run --from gw-1 --to gw-shadow --sample 5% --set gc.percent=400
  pushctl tee status
  pushctl tee stop`,
		Subcommands: []*cli.Command{
			teeRunCommand(e), teeStartCommand(e), teeStopCommand(e), teeStatusCommand(e), teeRecordCommand(e),
			teeReplayCommand(e), teeInspectCommand(e), teeReportCommand(e),
		},
	}
}

// mirrorFlags are those of commands that mirror a node.
func mirrorFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "from", Usage: "mirror the node at `ADDR`: socket path or host:port"},
		&cli.StringFlag{Name: "sample", Usage: "mirror `SHARE` of its users, 0.01% to 100%", Value: "5%"},
		&cli.StringFlag{Name: "redact", Usage: "replace `WHAT` before it leaves the node: payload, names (and payload) or off", Value: "payload"},
	}
}

// forFlag is that of commands that mirror until somebody ends it.
func forFlag() cli.Flag {
	return &cli.GenericFlag{Name: "for", Usage: "end after `TIME`", Value: new(span)}
}

// allowFlag is that of commands that end by themselves when words hold.
func allowFlag(words string) cli.Flag {
	return &cli.StringSliceFlag{Name: "allow", Usage: "do not end because of `WHAT`: " + words + "; repeatable"}
}

// shadowFlags are those of commands that drive a shadow.
func shadowFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "to", Usage: "the shadow at `ADDR`: socket path or host:port"},
		&cli.StringFlag{Name: "clients", Usage: "its client listener at `ADDR`, when it does not tell the right one"},
		&cli.IntFlag{Name: "amplify", Usage: "open `N` connections for each that is mirrored, of users u, u~2, u~3, …", Value: 1},
		&cli.StringFlag{Name: "secret-file", Usage: "sign tokens for the shadow with the secret in `FILE` (HS256), if it asks for any"},
		&cli.StringFlag{Name: "audience", Usage: "put audience `NAME` in these tokens"},
		&cli.StringFlag{Name: "issuer", Usage: "put issuer `NAME` in these tokens"},
	}
}
