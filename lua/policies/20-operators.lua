-- SPDX-License-Identifier: Apache-2.0
-- The site's own operators, who sit at this machine and are trusted with its data anyway.

local housekeeping = setting("operator_purposes", "list")

rule {
	name = "operators-are-local",
	subjects = { "cohort.*", "imaging.*", "fhir.*", "genomics.import", "table.*" },
	decide = function(q)
		if q.principal.role == "operator" and q.principal.via ~= "control" then
			return deny("operators act on this machine only, not through '%s'", q.principal.via)
		end
	end,
}

-- Exact numbers, so that they can see whether everything has arrived.
rule {
	name = "operator-count",
	subjects = { "cohort.count", "cohort.explain", "cohort.breakdown", "cohort.distribution" },
	decide = function(q)
		if q.principal.role == "operator" and contains(housekeeping, q.purpose) then
			return permit("operators see exact counts for %s", q.purpose)
		end
	end,
}

rule {
	name = "operator-import",
	subjects = { "imaging.import" },
	decide = function(q)
		if q.principal.role == "operator" then
			return permit("operators may import images; they are de-identified on the way in")
		end
	end,
}

rule {
	name = "operator-fhir",
	subjects = { "fhir.import", "fhir.pull" },
	decide = function(q)
		if q.principal.role == "operator" then
			return permit("operators may take in the record; identifiers become pseudonyms on the way in")
		end
	end,
}

-- Checking a table and drafting its mapping read the same file, and are shown to the same person.
rule {
	name = "operator-table",
	subjects = { "table.import", "table.check", "table.guess" },
	decide = function(q)
		if q.principal.role == "operator" then
			return permit("operators may take in tables; identifiers become pseudonyms on the way in")
		end
	end,
}

rule {
	name = "operator-genomes",
	subjects = { "genomics.import" },
	decide = function(q)
		if q.principal.role == "operator" then
			return permit("operators may take in genotypes; samples become pseudonyms on the way in")
		end
	end,
}

rule {
	name = "operator-reindex",
	subjects = { "cohort.reindex" },
	decide = function(q)
		if q.principal.role == "operator" then
			return permit("operators may have the index made anew from the images held")
		end
	end,
}

-- Writing de-identified images to a folder. For anything but housekeeping a data permit is needed.
rule {
	name = "operator-export",
	subjects = { "cohort.select" },
	decide = function(q)
		if q.principal.role ~= "operator" then
			return
		end
		if contains(housekeeping, q.purpose) then
			return permit("operators may export de-identified images for %s", q.purpose)
		end
		if q.permit ~= "" then
			return permit("operators may export de-identified images for %s under permit %s", q.purpose, q.permit)
		end
		return deny("exporting records for '%s' needs a data permit; state it, or export for: %s",
			q.purpose, list(housekeeping))
	end,
}
