#include "store/migrations/migrations.hpp"

namespace berth::store {

std::span<const Migration> all_migrations() {
    static const Migration migrations[] = {
        {1, "initial", m0001_initial()},
        {2, "culling", m0002_culling()},
        {3, "gpu", m0003_gpu()},
        {4, "projects", m0004_projects()},
    };
    return migrations;
}

}  // namespace berth::store
