// What listeners count, in the metrics of whichever process they are in. From any thread.
#pragma once

namespace berth::net {

void declare_metrics();  // so that the counters are shown before they count
void count_accept_pause();

}  // namespace berth::net
