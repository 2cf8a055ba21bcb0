package config

const helpHead = `pushd: push gateway for WebSocket, server-sent events, streams and long poll

usage: pushd [flags]               serve until SIGTERM or ctrl-C
       pushd check-config [flags]  print the configuration, or all that is wrong
       pushd sample-config [env]   a file or an environment to begin with
       pushd version
`

const helpTail = `
Knobs (change while pushd runs: pushctl knob list)
  --knob NAME=VALUE     start value; repeatable

Configuration file
  --config FILE         default /etc/pushd/pushd.toml, which may be absent

Each flag is also a key of the file (--state-dir is state_dir, --log-level is
level in [log], --auth is mode in [auth], knobs stand in [knobs]) and an
environment variable (PUSHD_STATE_DIR; lists with commas, PUSHD_KNOB with
semicolons). Flags win over the environment, the environment over the file.

example
  openssl rand -hex 32 > secret
  pushd --listen :7400 --auth jwt --auth-jwt-hs256-secret-file secret \
        --knob queue.messages_max=1024
`
