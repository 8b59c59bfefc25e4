// For what a lease was granted: the profile and the project of its start, which may be others by now. And
// GPUs that are kept for a project.
#include "store/migrations/migrations.hpp"

namespace berth::store {

namespace {

constexpr const char* kStatements[] = {
    "alter table leases add column profile text not null default ''",
    "alter table leases add column project text not null default ''",
    "alter table gpu_reservations add column project text not null default ''",
};

}  // namespace

std::span<const char* const> m0004_projects() {
    return kStatements;
}

}  // namespace berth::store
