#include "store/migrations/migrations.hpp"

namespace berth::store {

std::span<const Migration> all_migrations() {
    static const Migration migrations[] = {
        {1, "initial", m0001_initial()},
    };
    return migrations;
}

}  // namespace berth::store
