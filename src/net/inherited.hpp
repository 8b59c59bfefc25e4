// Listening sockets that go from one program to the next, so that whoever connects meanwhile waits in their
// backlog instead of being refused. They are named in the environment; Listener::open() of the same address
// takes one up. Main thread only.
#pragma once

#include "net/listener.hpp"

#include <string>
#include <vector>

namespace berth::net {

// For exec(), which keeps our process: from here on every TCP Listener that closes leaves its socket open.
void keep_listeners_for_successor();
// Everything but those and the standard streams: a connection that the successor does not know would stay
// open for ever.
void close_the_rest_on_exec();

// For a child that serves beside us: the line for its environment that says that it finds sockets[i] as
// descriptor first + i.
std::string name_passed_sockets(const std::vector<PassedSocket>& sockets, int first);

// In the program that comes after: a socket of that address, -1 when none is left; the caller owns it.
int take_inherited(const Endpoint& at);
bool inherits(const Endpoint& at);
// Nobody took these up: their addresses are no longer wanted.
void close_inherited();

// By Listener::close(): keeps a copy of the socket when a successor shall have it.
void leave_for_successor(const Endpoint& at, int descriptor);

}  // namespace berth::net
