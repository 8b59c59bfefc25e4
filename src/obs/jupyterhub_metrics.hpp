// The metrics that dashboards made for JupyterHub read (hub-protocol §18): its names and labels, nowhere
// else.
#pragma once

#include "obs/metrics.hpp"

#include <string_view>

namespace berth::obs::jupyterhub {

Family<Histogram>& request_duration();       // {method, handler, code}
Family<Histogram>& server_spawn_duration();  // {status=success|failure|error, reason}
Family<Gauge>& running_servers();
Family<Gauge>& total_users();
Family<Gauge>& active_users();  // {period=24h|7d|30d}
Family<Histogram>& check_routes_duration();
Family<Histogram>& hub_startup_duration();
Family<Histogram>& init_spawners_duration();
Family<Histogram>& proxy_poll_duration();
Family<Histogram>& proxy_add_duration();     // {status=success|failure}
Family<Histogram>& proxy_delete_duration();  // {status}
Family<Histogram>& server_poll_duration();   // {status=running|stopped}
Family<Histogram>& server_stop_duration();   // {status=success|failure}
Family<Histogram>& login_duration();         // {status=LoginStatus.success|LoginStatus.failure}
Family<Histogram>& logout_duration();
Family<Counter>& csp_reports();

// Makes all of them appear at /hub/metrics before anything happened, as JupyterHub's do. Once, at start.
void declare_all();

}  // namespace berth::obs::jupyterhub
