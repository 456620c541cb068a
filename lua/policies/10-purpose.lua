-- SPDX-License-Identifier: Apache-2.0
-- Every use of data states its purpose, and the purpose must be one that this site permits.

local permitted = setting("permitted_purposes", "list")
local forbidden = setting("forbidden_purposes", "list")
local housekeeping = setting("operator_purposes", "list")

-- Every purpose that this role may state, operators' own included.
local function purposes_of(role)
	if role == "operator" then
		return list(permitted) .. ", " .. list(housekeeping)
	end
	return list(permitted)
end

-- First of all what the law forbids: no permit and no role changes that.
rule {
	name = "forbidden-purpose",
	subjects = { "cohort.*", "imaging.*", "fhir.*", "genomics.import", "table.*" },
	decide = function(q)
		if contains(forbidden, q.purpose) then
			return deny("purpose '%s' is prohibited for health data (EHDS Article 54); no permit can allow it",
				q.purpose)
		end
	end,
}

rule {
	name = "stated-purpose",
	subjects = { "cohort.*", "imaging.*", "fhir.*", "genomics.import", "table.*" },
	decide = function(q)
		if q.purpose == "" then
			return deny("no purpose was stated; permitted here: %s", purposes_of(q.principal.role))
		end
	end,
}

rule {
	name = "permitted-purpose",
	subjects = { "cohort.*", "imaging.*", "fhir.*", "genomics.import", "table.*" },
	decide = function(q)
		if contains(permitted, q.purpose) or contains(housekeeping, q.purpose) then
			return
		end
		return deny("purpose '%s' is not permitted at this site; permitted: %s",
			q.purpose, purposes_of(q.principal.role))
	end,
}

-- Housekeeping is the operators' business and nobody else's.
rule {
	name = "operator-purpose",
	subjects = { "cohort.*", "imaging.*", "fhir.*", "genomics.import", "table.*" },
	decide = function(q)
		if contains(housekeeping, q.purpose) and q.principal.role ~= "operator" then
			return deny("purpose '%s' is for this site's operators only; permitted: %s",
				q.purpose, purposes_of(q.principal.role))
		end
	end,
}
