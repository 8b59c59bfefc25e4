// The schema's history: numbered, forward only. A released migration is never edited; a change is a new file
// m000N_name.cpp and a line in all_migrations(). Plain SQL that SQLite and PostgreSQL both run.
#pragma once

#include <span>
#include <string_view>

namespace berth::store {

struct Migration {
    int version = 0;
    std::string_view name;
    std::span<const char* const> statements;
};

std::span<const char* const> m0001_initial();
std::span<const char* const> m0002_culling();
std::span<const char* const> m0003_gpu();
std::span<const char* const> m0004_projects();

std::span<const Migration> all_migrations();  // in order of version

}  // namespace berth::store
