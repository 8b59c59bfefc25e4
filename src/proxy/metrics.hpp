// What the proxy counts, under configurable-http-proxy's names (hub-protocol §14.9), so that its dashboards
// go on working. Shown as Prometheus text on the listener of --metrics-port; the process's own figures that
// Node adds there are not. From any thread.
#pragma once

namespace berth::proxy {

enum class Side { client, target };
enum class RouteCall { get, add, remove };

void declare_metrics();  // so that what counts rare things is shown before the first one
void count_web_request();
void count_refused_connection();         // over --max-connections-per-address
void count_open(Side side, int change);  // by the objects that own them: what leaks stays counted
void count_websocket();
void count_answer(unsigned status);       // what a client was answered, by the target or by us
void count_edge_answer(unsigned status);  // of those, from the edge cache: 200 or 304
void count_api_answer(unsigned status);   // of the REST API
void count_route_call(RouteCall call);

}  // namespace berth::proxy
