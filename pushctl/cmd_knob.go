package main

import (
	"github.com/urfave/cli/v2"
)

func knobCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "knob", Category: "change", Usage: "read and turn what changes a running fleet",
		UsageText: "pushctl knob list|get|set|…",
		Description: `A knob acts while nodes run; its range and risk are the nodes' own. The keepers hold the values: for the fleet, for nodes with a label, for one node.

  pushctl knob list queue
  pushctl knob set queue.messages_max 256 --on app=shop --for 1h --why INC-311
  pushctl knob set queue.messages_max 256 --plan 1,5%,25%,all --soak 1m \
      --guard 'drops.10s < 5/s'
  pushctl knob explain queue.messages_max --node gw-3
  pushctl knob set queue.messages_max 256 --local   one node, without keepers`,
		Subcommands: []*cli.Command{
			knobListCommand(e), knobGetCommand(e), knobSetCommand(e), knobUnsetCommand(e), knobExplainCommand(e),
			knobHistoryCommand(e), knobRollbackCommand(e), knobFreezeCommand(e), knobThawCommand(e), knobFreezesCommand(e),
			knobWatchCommand(e), knobRolloutCommand(e), knobDiffCommand(e), knobDriftCommand(e),
			knobEditCommand(e), knobExportCommand(e), knobImportCommand(e),
		},
	}
}
