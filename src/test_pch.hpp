// The precompiled header of tests: pch.hpp and GoogleTest. The same law: each file still includes what it
// uses.
#pragma once

#include "pch.hpp"

#include <gtest/gtest.h>
