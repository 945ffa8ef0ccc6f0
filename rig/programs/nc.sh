#!/bin/sh
# Debian's netcat-openbsd as the client: sends a line, and goes on until the connection ends.
# usage: nc.sh ADDRESS PORT
echo ABCD | exec nc "$1" "$2"
