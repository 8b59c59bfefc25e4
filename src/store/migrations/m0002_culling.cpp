// What the culler must not forget over a restart: why it ended a server, and how often one was kept running.
#include "store/migrations/migrations.hpp"

namespace berth::store {

namespace {

constexpr const char* kStatements[] = {
    "alter table servers add column stopped_because text not null default ''",
    "alter table servers add column keep_count bigint not null default 0",
    "alter table servers add column kept_until bigint",
};

}  // namespace

std::span<const char* const> m0002_culling() {
    return kStatements;
}

}  // namespace berth::store
