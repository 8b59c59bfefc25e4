#include "obs/log.hpp"

#include "obs/impl/line.hpp"

#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdio>
#include <memory>

namespace berth::log {
namespace {

spdlog::level::level_enum to_spdlog(Level level) {
    switch (level) {
        case Level::debug:
            return spdlog::level::debug;
        case Level::info:
            return spdlog::level::info;
        case Level::warn:
            return spdlog::level::warn;
        case Level::error:
            return spdlog::level::err;
    }
    return spdlog::level::info;
}

struct Output {
    std::shared_ptr<spdlog::logger> logger;
    Format format = Format::text;

    Output()
        : logger(
              std::make_shared<spdlog::logger>("berth", std::make_shared<spdlog::sinks::stderr_sink_mt>())) {
        logger->set_pattern("%v");
        logger->set_level(spdlog::level::info);
        logger->flush_on(spdlog::level::debug);
    }
};
Output& output() {
    static Output instance;
    return instance;
}

}  // namespace

void configure(Level level, Format format) {
    output().format = format;
    output().logger->set_level(to_spdlog(level));
}

void to_file(const std::string& path, std::size_t most) {
    spdlog::file_event_handlers handlers;
    handlers.after_open = [](const spdlog::filename_t&, std::FILE* file) {
        ::dup2(::fileno(file), STDOUT_FILENO);
        ::dup2(::fileno(file), STDERR_FILENO);
    };
    auto sink = std::make_shared<spdlog::sinks::rotating_file_sink_mt>(path, most, 1, false, handlers);
    sink->set_pattern("%v");
    output().logger->sinks() = {std::move(sink)};
}

bool enabled(Level level) {
    return output().logger->should_log(to_spdlog(level));
}

void write(Level level, std::string_view event, Fields fields) {
    if (!enabled(level)) return;
    const auto line = output().format == Format::json ? json_line(level, event, fields, now_utc())
                                                      : text_line(level, event, fields, now_utc());
    output().logger->log(to_spdlog(level), spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace berth::log
