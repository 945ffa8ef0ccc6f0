#!/bin/sh
# Server and client of the report beside each other, as their readers start them: for a network of each trial's own.
# usage: pair.sh SERVER CLIENT
"$1" &
sleep 0.2
"$2"
status=$?
wait
exit $status
