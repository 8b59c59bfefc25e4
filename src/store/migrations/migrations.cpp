#include "store/migrations/migrations.hpp"

namespace berth::store {

std::span<const Migration> all_migrations() {
    static const Migration migrations[] = {
        {1, "initial", m0001_initial()},
        {2, "culling", m0002_culling()},
    };
    return migrations;
}

}  // namespace berth::store
